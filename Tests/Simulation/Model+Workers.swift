internal import MartletEngine
internal import MartletProtocol

/// What a worker says of a task in its hands.
extension Model {
    mutating func acknowledgeMany(_ request: AcknowledgeManyRequest, _ now: Timestamp) -> Outcome {
        .many(request.tasks.map { complete($0.id, $0.token, result: nil, now) })
    }

    /// Completes a task; the code of the refusal, or `nil`.
    mutating func complete(_ id: TaskID?, _ token: Int64, result: Bytes?, _ now: Timestamp) -> ErrorCode? {
        guard let id, let task = tasks[id] else { return .noTask }
        if task.endings[token] == .ok { return nil }
        guard task.hold?.token == token else { return .leaseLost }
        totals[task.queue, default: Totals()].completed += 1
        feedBreaker(of: task.queue, now, failed: false)
        count(task.worker) { $0.completed += 1 }
        tasks[id]?.result = result
        tasks[id]?.endings[token] = .ok
        end(id, .completed, "ack", now)
        return nil
    }

    mutating func fail(_ request: FailRequest, _ now: Timestamp, _ answer: Answer) -> Outcome {
        guard let id = request.id, let task = tasks[id] else { return .refused(.noTask) }
        if let ending = task.endings[request.token], ending != .ok { return ending }
        guard task.hold?.token == request.token else { return .refused(.leaseLost) }
        guard let failure = fail(id, Report(request, answer), now) else { return .refused(.noTask) }
        tasks[id]?.endings[request.token] = .failed(failure)
        return .failed(failure)
    }

    mutating func release(_ request: ReleaseRequest, _ now: Timestamp) -> Outcome {
        guard let id = request.id, let task = tasks[id] else { return .refused(.noTask) }
        guard task.hold?.token == request.token else { return .refused(.leaseLost) }
        if task.cancel {
            end(id, .cancelled, "release", now)
            return .ok
        }
        if let expiresAt = task.expiresAt, expiresAt <= now {
            end(id, .expired, "release", now)
            return .ok
        }
        move(id, request.delay > 0 ? .scheduled : .pending, "release", now)
        tasks[id]?.attempt -= 1
        if request.delay > 0 { tasks[id]?.runAt = now + request.delay }
        if let priority = request.priority { tasks[id]?.priority = priority }
        keepOrder(task, now)
        return .ok
    }

    mutating func touch(_ request: TouchRequest, _ now: Timestamp) -> Outcome {
        guard let id = request.id, var task = tasks[id] else { return .refused(.noTask) }
        guard var hold = task.hold, hold.token == request.token else { return .refused(.leaseLost) }
        hold.leaseEnd = request.lease.map { now + $0 } ?? max(hold.leaseEnd, now + hold.length)
        task.hold = hold
        task.progress = request.progress ?? task.progress
        task.note = request.note ?? task.note
        tasks[id] = task
        return .touched(deadline: task.deadline ?? now, cancel: task.cancel)
    }
}

extension Report {
    fileprivate init(_ request: FailRequest, _ answer: Answer) {
        let next: Next =
            switch request.next {
            case .backoff: .backoff
            case .retry(let delay): .in(delay)
            case .dead: .dead
            }
        var chosen: Timestamp?
        if case .failed(let attempt) = answer { chosen = attempt.runAt }
        self.init(
            reason: "fail", kind: request.kind, message: request.message, trace: request.trace, next: next,
            chosenRunAt: chosen)
    }
}

internal import MartletEngine
internal import MartletProtocol

/// What happens to a task.
extension Model {
    /// Lets everything due by `now` happen, each thing at its own instant.
    mutating func settle(_ now: Timestamp) {
        // Nothing becomes due at the very instant at which it is done.
        guard settledTo != now else { return }
        settledTo = now
        settleLimits(now)
        defer { settleBatches(now) }
        texts = texts.filter { $0.value.until.map { $0 > now } ?? true }
        holds = holds.filter { $0.value.until.map { $0 > now } ?? true }
        // And breakers count failures in their order.
        if keepsFew || hasParked || hasFair || !breakers.isEmpty || !batches.isEmpty { return settleInOrder(now) }
        for id in tasks.keys {
            while let next = tasks[id]?.nextInstant, next <= now { happen(id, at: next) }
        }
    }

    /// Where KEEPMAX counts, the order matters: by time, and at the same instant leases before due times before times
    /// to live before retention.
    private mutating func settleInOrder(_ now: Timestamp) {
        while let next = tasks.values.filter({ $0.nextInstant.map { $0 <= now } ?? false }).min(by: {
            $0.happensBefore($1)
        }),
            let instant = next.nextInstant
        {
            happen(next.id, at: instant)
        }
    }

    /// The one thing that happens to the task by itself at `time`.
    private mutating func happen(_ id: TaskID, at time: Timestamp) {
        guard let task = tasks[id] else { return }
        switch task.state {
        case .scheduled where task.runAt > time, .pending, .blocked: end(id, .expired, "ttl", time)
        case .scheduled: move(id, .pending, "due", time)
        case .active where task.timesOut: fail(id, .timedOut, time)
        case .active: fail(id, .leaseExpired, time)
        default: delete(id, time)
        }
    }

    /// Changes the state and writes history.
    mutating func move(_ id: TaskID, _ to: TaskState, _ reason: String, _ time: Timestamp, _ report: Report? = nil) {
        guard var task = tasks[id] else { return }
        task.history.append(
            Move(
                at: time, from: task.state, to: to, attempt: task.attempt, reason: reason, kind: report?.kind,
                message: report?.message, trace: report?.trace,
                worker: task.hold == nil ? nil : task.worker))
        if task.state != to, to == .active || to.isEnded {
            moves[id, default: []].append(to)
            homes[id] = task.queue
        }
        task.state = to
        if to != .active { task.hold = nil }
        tasks[id] = task
        forgetGroups()
    }

    /// Ends a task: it stays as long as KEEP says, in the DLQ for ever.
    mutating func end(_ id: TaskID, _ to: TaskState, _ reason: String, _ time: Timestamp, _ report: Report? = nil) {
        move(id, to, reason, time, report)
        tasks[id]?.endedAt = time
        tasks[id]?.open = []
        let ended = tasks[id]
        freeKey(of: id) { $0.until != .expire }
        tellWatches(of: id)
        if to != .dead, tasks[id]?.keep == 0 { remove(id) }
        if let ended { keepOrder(ended, time) }
        tellBatch(of: id, to, time)
        tellDependents(of: id, to, time)
        removeSurplus(time)
    }

    /// One failed attempt; what follows is the contract's "States and attempts".
    @discardableResult
    mutating func fail(_ id: TaskID, _ report: Report, _ time: Timestamp) -> Failure? {
        guard var task = tasks[id] else { return nil }
        totals[task.queue, default: Totals()].failed += 1
        feedBreaker(of: task.queue, time, failed: true, kind: report.kind)
        count(task.worker) { $0.failed += 1 }
        task.lastError = report.message
        task.errorKind = report.kind
        let spent = task.attempt > task.retries || report.next == .dead
        let over = task.expiresAt.map { $0 <= time } ?? false
        guard !spent, !over, !task.cancel else {
            tasks[id] = task
            let state: TaskState = task.cancel ? .cancelled : over ? .expired : .dead
            end(id, state, report.reason, time, report)
            return Failure(
                state: state, attempt: task.attempt, retriesLeft: 0, runAt: nil)
        }
        task.runAt = runAt(ofRetry: task, report, time)
        tasks[id] = task
        let state: TaskState = task.runAt > time ? .scheduled : .pending
        move(id, state, report.reason, time, report)
        keepOrder(task, time)
        return Failure(
            state: state, attempt: task.attempt, retriesLeft: task.retries - task.attempt, runAt: task.runAt)
    }

    /// When the next attempt is due.
    private mutating func runAt(ofRetry task: ModelTask, _ report: Report, _ time: Timestamp) -> Timestamp {
        switch report.next {
        case .atOnce: return task.runAt
        case .in(let delay): return time + delay
        case .backoff, .dead: break
        }
        let delay = task.backoff.delay(beforeRetry: task.attempt)
        let latest = delay + delay * task.jitter / 100
        guard let chosen = report.chosenRunAt, latest > delay else { return time + delay }
        if !(time + delay...time + latest).contains(chosen) {
            complaints.append("jitter: run_at \(chosen) is not in \(time + delay)...\(time + latest)")
        }
        return chosen
    }
}

/// What is told of a failed attempt.
struct Report {
    var reason: String
    var kind: Bytes?
    var message: Bytes?
    var trace: Bytes?
    var next: Next
    /// The engine's choice within the jitter.
    var chosenRunAt: Timestamp?

    enum Next: Equatable {
        case backoff
        case `in`(Milliseconds)
        /// With its old due time.
        case atOnce
        case dead
    }

    /// Stands for a message that is the engine's own wording.
    static let ownWords = Bytes("(the engine's own words)".utf8)
    static let leaseExpired = Report(
        reason: "lease_expired", kind: Bytes("lease_expired".utf8), message: ownWords, next: .atOnce)
    static let timedOut = Report(
        reason: "timeout", kind: Bytes("timeout".utf8), message: ownWords, next: .backoff)
}

internal import MartletEngine
internal import MartletProtocol

/// A caller that waits for a task.
struct WaitingCall {
    var caller: CallerID
    var request: ReserveRequest
    /// The nonce of the RESERVE, or of the ACK … NEXT.
    var nonce: RequestNonce?
    /// `nil`: for ever.
    var deadline: Timestamp?
}

/// A lease as a nonce remembers it.
struct Lease: Equatable {
    var id: TaskID
    var token: Int64
}

/// RESERVE, ACK … NEXT and those who wait.
extension Model {
    mutating func reserve(_ request: ReserveRequest, _ now: Timestamp, _ answer: Answer) -> Outcome {
        if let refusal = takeOverConflict(request.request, now) { return refusal }
        return reserve(request, request.request, now, answer)
    }

    mutating func acknowledge(_ request: AcknowledgeRequest, _ now: Timestamp, _ answer: Answer) -> Outcome {
        let refusal = request.next == nil ? conflict(request.request, now) : takeOverConflict(request.request, now)
        if let refusal { return refusal }
        if let nonce = request.request, let next = request.next, calls.contains(where: { $0.nonce == nonce }) {
            return reserve(next, nonce, now, answer)
        }
        if !isKnown(request.request, now) {
            if let refusal = addChildren(of: request, now) { return refusal }
            if let code = complete(request.id, request.token, result: request.result, now) { return .refused(code) }
            remember(request.request, .ok, now)
        }
        guard let next = request.next else { return .ok }
        return reserve(next, request.request, now, answer)
    }

    /// Takes over the blocked call of the same nonce, gives its leases again, or takes anew.
    private mutating func reserve(
        _ request: ReserveRequest, _ nonce: RequestNonce?, _ now: Timestamp, _ answer: Answer
    ) -> Outcome {
        if let nonce, let index = calls.firstIndex(where: { $0.nonce == nonce }) {
            dismissed.append(calls[index].caller)
            calls[index].caller = request.caller
            return .blocked
        }
        let held = heldLeases(nonce, now)
        if !held.isEmpty { return .handedOut(held.compactMap(delivery)) }
        let taken = take(request, nonce, now, answer)
        guard taken.isEmpty, case .upTo = request.block else { return .handedOut(taken) }
        calls.append(
            WaitingCall(
                caller: request.caller, request: request, nonce: nonce, deadline: Self.deadline(request, now)))
        return .blocked
    }

    private static func deadline(_ request: ReserveRequest, _ now: Timestamp) -> Timestamp? {
        guard case .upTo(let span) = request.block, span > 0 else { return nil }
        return now + span
    }

    /// Hands out up to COUNT tasks; the tokens are the engine's.
    private mutating func take(
        _ request: ReserveRequest, _ nonce: RequestNonce?, _ now: Timestamp, _ answer: Answer
    ) -> [Delivery] {
        var tokens: [Int64] = []
        if case .handedOut(let tasks) = answer { tokens = tasks.map(\.token) }
        var taken: [Delivery] = []
        var bytes = 0
        while taken.count < request.count, bytes < Limits.reservePayload,
            let (id, lanes) = next(of: request, token: tokens.dropFirst(taken.count).first, now), let task = tasks[id]
        {
            if let lanes { contested[lanes, default: 0] += 1 }
            // If the engine gave fewer, the comparison says which it left out.
            let token = taken.count < tokens.count ? tokens[taken.count] : newestToken + 1
            if token <= newestToken { complaints.append("token \(token) does not rise above \(newestToken)") }
            newestToken = token
            handOut(id, token, request, now)
            bytes += task.payload.count
            if let delivery = delivery(Lease(id: id, token: token)) { taken.append(delivery) }
        }
        if !taken.isEmpty { remember(nonce, .ok, now, taken.map { Lease(id: $0.id, token: $0.token) }) }
        return taken
    }

    private mutating func handOut(_ id: TaskID, _ token: Int64, _ request: ReserveRequest, _ now: Timestamp) {
        guard var task = tasks[id] else { return }
        let length = request.lease ?? task.lease
        task.attempt += 1
        task.token = token
        task.worker = request.worker
        task.startedAt = now
        task.progress = nil
        task.note = nil
        task.cancel = false
        task.hold = ModelTask.Hold(
            token: token, startedAt: now, length: length, leaseEnd: now + length)
        tasks[id] = task
        move(id, .active, "reserve", now)
        serve(task, token, now)
        passGates(of: task, now)
        freeKey(of: id) { $0.until == .start }
        count(request.worker) { $0.started += 1 }
    }

    /// What the holder of a lease is told.
    private func delivery(_ lease: Lease) -> Delivery? {
        guard let task = tasks[lease.id], let hold = task.hold, let deadline = task.deadline else { return nil }
        return Delivery(
            id: task.id, queue: task.queue, type: task.type, payload: task.payload, priority: task.priority,
            attempt: task.attempt, retries: task.retries, token: hold.token, lease: hold.length, deadline: deadline,
            enqueuedAt: task.enqueuedAt, runAt: task.runAt, meta: task.meta, tags: task.tags, lastError: task.lastError)
    }
}

/// Those who wait.
extension Model {
    /// Serves the blocked callers, the longest waiting first.
    mutating func serveWaiting(_ now: Timestamp, _ answers: [CallerID: Answer]) -> [CallerID: Outcome] {
        settle(now)
        var outcomes: [CallerID: Outcome] = [:]
        for caller in dismissed { outcomes[caller] = .handedOut([]) }
        dismissed = []
        for (caller, outcome) in finished { outcomes[caller] = outcome }
        finished = [:]
        outcomes.merge(serveTakers(now, answers)) { first, _ in first }
        for (caller, request) in removals where answers[caller] != nil {
            outcomes[caller] = .ok
            remember(request, .ok, now)
            removals[caller] = nil
        }
        var waiting: [WaitingCall] = []
        for call in calls {
            let taken = take(call.request, call.nonce, now, answers[call.caller] ?? .handedOut([]))
            if taken.isEmpty { waiting.append(call) } else { outcomes[call.caller] = .handedOut(taken) }
        }
        calls = waiting
        outcomes.merge(serveDrains(now)) { first, _ in first }
        return outcomes.merging(serveWatches(now)) { first, _ in first }
    }

    /// Ends the blocked calls whose BLOCK passed.
    mutating func expireWaiting(_ now: Timestamp) -> [CallerID: Outcome] {
        let over = calls.filter { $0.deadline.map { $0 <= now } ?? false }
        calls.removeAll { call in over.contains { $0.caller == call.caller } }
        var outcomes: [CallerID: Outcome] = Dictionary(uniqueKeysWithValues: over.map { ($0.caller, .handedOut([])) })
        for (caller, drain) in drains where drain.deadline.map({ $0 <= now }) ?? false {
            outcomes[caller] = .bytes(nil)
            drains[caller] = nil
        }
        return outcomes.merging(expireTakers(now)) { first, _ in first }
    }

    mutating func forget(_ caller: CallerID) {
        calls.removeAll { $0.caller == caller }
        watches.removeAll { $0.caller == caller }
        removals[caller] = nil
        for name in limits.keys { limits[name]?.calls.removeAll { $0.request.caller == caller } }
        drains[caller] = nil
        for number in operations.keys where operations[number]?.waiter?.caller == caller {
            operations[number]?.waiter = nil
        }
    }

    /// A hand-out nobody received: as if it had not been, but for the token.
    mutating func undo(_ id: TaskID, _ token: Int64, _ now: Timestamp) {
        settle(now)
        guard var task = tasks[id], task.hold?.token == token else { return }
        guard !task.cancel else { return end(id, .cancelled, "release", now) }
        count(task.worker) { $0.started -= 1 }
        task.attempt -= 1
        task.hold = nil
        task.state = .pending
        task.history.removeLast()
        tasks[id] = task
        keepOrder(task, now)
        takeKeyBack(of: id, now)
        settledTo = nil
        settle(now)
    }
}

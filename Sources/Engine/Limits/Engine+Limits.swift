import MartletProtocol
import MartletStorage

/// LIMIT.SET, DEL, RESET, GET and LIST.
extension Engine {
    mutating func set(
        _ request: LimitSetRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let number = limits.number(request.name) else {
            guard limits.count < Limits.limits else {
                return .refused(CommandError(.error, "\(Limits.limits) limits are set; delete one that is not used"))
            }
            let number = limits.nextNumber
            var limit = LimitState(number: number, name: request.name, kind: Self.kind(request.kind, now), now: now)
            limit.isChanged = true
            undoLog.limits.append((number, nil))
            limits[number] = limit
            return remember(request.request, .ok)
        }
        try endPermits(number, now, transaction)
        if !request.kind.isOfSlots, limits[number]?.isOfSlots ?? false { try dropPermits(number, transaction) }
        change(limit: number) { limit in
            if case (.tokens(let rate, let per, let burst), .tokens(var bucket)) = (request.kind, limit.kind) {
                if bucket.per != per { limit.use = TokenUse() }
                bucket.change(rate: rate, per: per, burst: burst, now: now)
                limit.kind = .tokens(bucket)
            } else {
                limit.kind = Self.kind(request.kind, now)
                limit.use = TokenUse()
            }
        }
        refuseImpossible(number)
        return remember(request.request, .ok)
    }

    private static func kind(_ kind: LimitSetRequest.Kind, _ now: Timestamp) -> LimitState.Kind {
        switch kind {
        case .tokens(let rate, let per, let burst):
            .tokens(TokenBucket(rate: rate, per: per, burst: burst, now: now))
        case .slots(let slots): .slots(slots)
        }
    }

    mutating func delete(
        limit request: NameRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let number = limits.number(request.name), let limit = limits[number] else {
            return .refused(Self.noLimit(request.name))
        }
        try dropPermits(number, transaction)
        change(limit: number) { _ in }
        for taker in limit.takers {
            finishedOperations.append((taker.request.caller, .refused(Self.noLimit(request.name))))
        }
        touched.formUnion(limit.queues.keys)
        limits[number] = nil
        try transaction.delete(Tables.limits, queueKey(number))
        return remember(request.request, .ok)
    }

    /// As if nothing had been taken.
    mutating func reset(
        limit request: NameRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let number = limits.number(request.name) else { return .refused(Self.noLimit(request.name)) }
        try dropPermits(number, transaction)
        change(limit: number) { limit in
            if case .tokens(var bucket) = limit.kind {
                bucket.fill(now)
                limit.kind = .tokens(bucket)
            }
            (limit.use, limit.granted, limit.refused) = (TokenUse(), 0, 0)
        }
        return remember(request.request, .ok)
    }

    private mutating func dropPermits(
        _ number: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for permit in (limits[number]?.permits ?? [:]).keys.sorted() { try end(permit: permit, number, transaction) }
    }

    /// Those who wait for more than there can be now, or for slots that became tokens, are told so.
    private mutating func refuseImpossible(_ number: UInt32) {
        guard let limit = limits[number] else { return }
        for taker in limit.takers {
            guard let refusal = refusal(of: taker.request, limit) else { continue }
            change(limit: number) { $0.takers.removeAll { $0.request.caller == taker.request.caller } }
            finishedOperations.append((taker.request.caller, .refused(refusal)))
        }
    }

    /// What can never be granted.
    func refusal(of request: LimitTakeRequest, _ limit: LimitState) -> CommandError? {
        let name = String(decoding: limit.name, as: UTF8.self)
        if limit.isOfSlots, request.hold == nil {
            return CommandError(.error, "limit '\(name)' has SLOTS: say how long with HOLD")
        }
        if !limit.isOfSlots, request.hold != nil {
            return CommandError(.error, "limit '\(name)' has a RATE, no SLOTS: HOLD means nothing to it")
        }
        guard request.cost > limit.most else { return nil }
        return CommandError(.error, "COST \(request.cost) is above what limit '\(name)' ever has, \(limit.most)")
    }

    static func noLimit(_ name: Bytes) -> CommandError {
        CommandError(.error, "no such limit '\(String(decoding: name, as: UTF8.self))'")
    }

    /// A limit, to be changed: the way it was is kept. `isStored`: its record is written when the group closes.
    mutating func change(limit number: UInt32, isStored: Bool = true, _ body: (inout LimitState) -> Void) {
        guard let before = limits[number] else { return }
        if !undoLog.limits.contains(where: { $0.number == number }) { undoLog.limits.append((number, before)) }
        _ = limits.change(number) { limit in
            if isStored { limit.isChanged = true }
            body(&limit)
        }
    }

    func limitAnswer<A>(
        _ name: Bytes, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Answer {
        guard let limit = limits.number(name).flatMap({ limits[$0] }) else { return .refused(Self.noLimit(name)) }
        return .limit(view(limit, try tasksAtLimits(now, transaction), now))
    }

    func limitViews<A>(
        _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [LimitView] {
        guard limits.count > 0 else { return [] }
        let tasks = try tasksAtLimits(now, transaction)
        return limits.ordered.map { view($0, tasks, now) }
    }

    /// How many due tasks wait for tokens of each limit: theirs, or their queue's. Counted, not looked at.
    private func tasksAtLimits<A>(
        _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [UInt32: Int64] {
        var waiting: [UInt32: Int64] = [:]
        for queue in queues where !queue.name.isEmpty && queue[.pending] > 0 {
            if queue.settings.isGated, let gate = gate(of: queue.id, now) {
                if case .limit(let number, _) = gate { waiting[number, default: 0] += queue[.pending] }
                continue
            }
            for line in queue.dueCounts.lines where line.due > 0 {
                guard case .limit(let number, _)? = try holdUp(ofLine: line.limits, queue.id, now, transaction) else {
                    continue
                }
                waiting[number, default: 0] += line.due
            }
        }
        return waiting
    }

    private func view(_ stored: LimitState, _ tasks: [UInt32: Int64], _ now: Timestamp) -> LimitView {
        let limit = stored.at(now)
        let waiting = Int64(limit.takers.count) + tasks[limit.number, default: 0]
        var view = LimitView(
            name: limit.name, available: limit.available(at: now), waiting: waiting, granted: limit.granted,
            refused: limit.refused, utilisation: 0)
        switch limit.kind {
        case .tokens(let bucket):
            (view.rate, view.per, view.burst) = (bucket.rate, bucket.per, bucket.burst)
            view.utilisation = limit.use.share(rate: bucket.rate, per: bucket.per, now)
        case .slots(let slots):
            view.slots = slots
            view.utilisation = min(1, Double(limit.held) / Double(slots))
        }
        return view
    }
}

extension LimitSetRequest.Kind {
    fileprivate var isOfSlots: Bool {
        if case .slots = self { true } else { false }
    }
}

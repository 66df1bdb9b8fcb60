public import MartletProtocol
import MartletStorage

/// BREAKER.*
extension Engine {
    mutating func set(
        _ request: BreakerSetRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        if let number = breakers.number(request.name) {
            // What was counted so far was counted under the old settings.
            change(breaker: number, now) { $0.change(request.settings) }
            return remember(request.request, .ok)
        }
        guard breakers.count < Limits.breakers else {
            return .refused(CommandError(.error, "\(Limits.breakers) breakers are set; delete one that is not used"))
        }
        let number = breakers.nextNumber
        undoLog.breakers.append((number, nil))
        var breaker = BreakerState(number: number, name: request.name, settings: request.settings)
        breaker.isChanged = true
        breakers[number] = breaker
        return remember(request.request, .ok)
    }

    mutating func apply(
        _ request: BreakerRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        // Leases that ended are failures that come first.
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        guard let number = breakers.number(request.name), let breaker = breakers[number] else {
            return .refused(Self.noBreaker(request.name))
        }
        switch request.verb {
        case .allow: return allow(breaker, request.request, now)
        case .succeed: if breaker.at(now).phase == .halfOpen { change(breaker: number, now) { $0.succeed() } }
        case .fail: change(breaker: number, now) { $0.fail(now) }
        case .trip: change(breaker: number, now) { $0.trip(now) }
        case .reset: change(breaker: number, now) { $0.reset() }
        case .delete:
            // Whom it held back may go on: that is as good as closed.
            change(breaker: number, now) { $0.reset() }
            touched.formUnion(breaker.queues)
            breakers[number] = nil
            try transaction.delete(Tables.breakers, queueKey(number))
        }
        return remember(request.request, .ok)
    }

    private mutating func allow(_ breaker: BreakerState, _ request: RequestNonce?, _ now: Timestamp) -> Answer {
        let isAllowed = breaker.allows(now)
        let phase = breaker.at(now).phase
        if isAllowed, phase == .halfOpen { change(breaker: breaker.number, now) { $0.letThrough(now) } }
        guard isAllowed else { return .allowed(phase, false) }
        return remember(request, .allowed(phase))
    }

    static func noBreaker(_ name: Bytes) -> CommandError {
        CommandError(.error, "no such breaker '\(String(decoding: name, as: UTF8.self))'")
    }

    /// Changes a breaker as it is at that instant; its record is written when the group closes. That it has cooled down
    /// is told before what comes of the change.
    mutating func change(breaker number: UInt32, _ instant: Timestamp, _ body: (inout BreakerState) -> Void) {
        guard let before = breakers[number] else { return }
        keepForUndo(before)
        var breaker = before.at(instant)
        breaker.isChanged = true
        tell(breaker, was: before.phase)
        let phase = breaker.phase
        body(&breaker)
        tell(breaker, was: phase)
        breakers[number] = breaker
    }

    /// Other queues wait at a breaker: that is in memory alone.
    mutating func change(queuesAtBreaker number: UInt32, _ body: (inout Set<UInt32>) -> Void) {
        guard let before = breakers[number] else { return }
        keepForUndo(before)
        var breaker = before
        body(&breaker.queues)
        breakers[number] = breaker
    }

    private mutating func keepForUndo(_ breaker: BreakerState) {
        guard !undoLog.breakers.contains(where: { $0.number == breaker.number }) else { return }
        undoLog.breakers.append((breaker.number, breaker))
    }

    /// An attempt at a task of this queue ended.
    mutating func feedBreaker(of queue: UInt32, _ at: Timestamp, failed: Bool, kind: Bytes? = nil) {
        guard !breakers.isEmpty, let name = queues[Int(queue) - 1].options.breaker,
            let number = breakers.number(name), let breaker = breakers[number]
        else { return }
        if failed {
            if breaker.counts(kind) { change(breaker: number, at) { $0.fail(at) } }
        } else if breaker.at(at).phase == .halfOpen {
            change(breaker: number, at) { $0.succeed() }
        }
    }

    func breakerAnswer(_ name: Bytes, _ now: Timestamp) -> Answer {
        breakers.number(name).flatMap { breakers[$0] }.map { .breaker(view($0, now)) }
            ?? .refused(Self.noBreaker(name))
    }

    /// All of them, by name.
    public func breakerViews(_ now: Timestamp) -> [BreakerView] { breakers.ordered.map { view($0, now) } }

    private func view(_ stored: BreakerState, _ now: Timestamp) -> BreakerView {
        let breaker = stored.at(now)
        return BreakerView(
            name: breaker.name, phase: breaker.phase, settings: breaker.settings,
            failures: Int64(breaker.failures.count), openedAt: breaker.phase == .open ? breaker.since : nil,
            retryAt: breaker.allows(now) ? nil : breaker.since + breaker.settings.cool)
    }

    mutating func loadBreakers(_ transaction: borrowing Transaction<Reading>) throws(StorageError) {
        var loaded: [BreakerState] = []
        try transaction.scanRecords(Tables.breakers, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            loaded.append(BreakerState(number: reader.next(), from: &record))
            return true
        }
        for breaker in loaded { breakers[breaker.number] = breaker }
    }
}

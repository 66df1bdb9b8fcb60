import MartletProtocol
import MartletStorage

/// LIMIT.TAKE, LIMIT.GIVE, and those who wait.
extension Engine {
    mutating func take(
        _ request: LimitTakeRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let taken = takeOver(by: request) { return taken }
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let number = limits.number(request.name) else { return .refused(Self.noLimit(request.name)) }
        try endPermits(number, now, transaction)
        guard let limit = limits[number] else { return .refused(Self.noLimit(request.name)) }
        if let refusal = refusal(of: request, limit) { return .refused(refusal) }
        if let hold = request.hold, hold > Limits.latestTime - now {
            return .refused(CommandError(.error, "HOLD \(hold) ends past the latest time, \(Limits.latestTime) ms"))
        }
        // Who came first is served first.
        if limit.takers.isEmpty, let answer = try grant(request, number, now, transaction) { return answer }
        guard case .upTo(let span) = request.block else {
            change(limit: number, isStored: false) { $0.refused += 1 }
            return .taken(limited(limit, behind: limit.awaited, request, now))
        }
        let until = span == 0 || span > Limits.latestTime - now ? nil : now + span
        change(limit: number, isStored: false) { $0.takers.append(Taker(request: request, until: until)) }
        return .blocked
    }

    /// Takes what is asked for, if it is there.
    private mutating func grant(
        _ request: LimitTakeRequest, _ number: UInt32, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer? {
        guard let limit = limits[number], limit.available(at: now) >= request.cost else { return nil }
        let until = now + (request.hold ?? 0)
        var permit: Int64?
        change(limit: number) { permit = $0.take(request.cost, until: until, now) }
        guard let permit, let taken = limits[number] else { return nil }
        if taken.isOfSlots {
            let record = Permit(slots: request.cost, until: until)
            try transaction.put(Tables.permits, permitKey(number, permit)) { record.write(to: &$0) }
        }
        let answer = TakeAnswer(
            isLimited: false, limit: taken.most, remaining: taken.available(at: now), retryAfter: nil,
            reset: taken.waitUntilFull(now), isOfSlots: taken.isOfSlots, permit: taken.isOfSlots ? permit : nil)
        return remember(request.request, .taken(answer))
    }

    /// What those are told who came in vain; `behind`: what others wait for.
    private func limited(
        _ limit: LimitState, behind: Int64, _ request: LimitTakeRequest, _ now: Timestamp
    ) -> TakeAnswer {
        let limit = limit.at(now)
        return TakeAnswer(
            isLimited: true, limit: limit.most, remaining: limit.available(at: now),
            retryAfter: max(1, limit.wait(for: behind + request.cost, now)), reset: limit.waitUntilFull(now),
            isOfSlots: limit.isOfSlots)
    }

    mutating func give(
        _ request: LimitGiveRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let number = limits.number(request.name) else { return .refused(Self.noLimit(request.name)) }
        try endPermits(number, now, transaction)
        guard limits[number]?.permits[request.permit] != nil else { return remember(request.request, .count(0)) }
        try end(permit: request.permit, number, transaction)
        return remember(request.request, .count(1))
    }

    // MARK: Permits

    /// Those whose time is over are free again.
    mutating func endPermits(
        _ number: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for permit in limits[number]?.over(by: now) ?? [] { try end(permit: permit, number, transaction) }
    }

    /// The same for all limits, at most so many permits; how many they were.
    mutating func endPermits(
        by now: Timestamp, limit: Int, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Int {
        var done = 0
        for number in limits.busy.sorted() {
            for permit in limits[number]?.over(by: now).prefix(limit - done) ?? [] {
                try end(permit: permit, number, transaction)
                done += 1
            }
        }
        return done
    }

    mutating func end(
        permit: Int64, _ number: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        change(limit: number, isStored: false) { _ = $0.remove(permit: permit) }
        try transaction.delete(Tables.permits, permitKey(number, permit))
    }

    // MARK: Those who wait

    /// Serves them, in the order in which they came, with what is there.
    mutating func serveTakers(
        _ now: Timestamp, _ transaction: borrowing Transaction<Writing>, _ deliver: (CallerID, Answer) -> Void
    ) throws(StorageError) {
        for number in limits.busy.sorted() {
            try endPermits(number, now, transaction)
            while let first = limits[number]?.takers.first,
                let answer = try grant(first.request, number, now, transaction)
            {
                change(limit: number) { $0.takers.removeFirst() }
                deliver(first.request.caller, answer)
            }
        }
    }

    /// Those whose BLOCK has passed are told to come later.
    mutating func expireTakers(_ now: Timestamp, _ deliver: (CallerID, Answer) -> Void) {
        for number in limits.busy.sorted() {
            guard let limit = limits[number], limit.takers.contains(where: { $0.isOver(now) }) else { continue }
            var behind: Int64 = 0
            for taker in limit.takers {
                if taker.isOver(now) {
                    deliver(taker.request.caller, .taken(limited(limit, behind: behind, taker.request, now)))
                } else {
                    behind += taker.request.cost
                }
            }
            _ = limits.change(number) { $0.takers.removeAll { $0.isOver(now) } }
        }
    }

    /// A repeated command takes over the call that its nonce left blocked.
    private mutating func takeOver(by request: LimitTakeRequest) -> Answer? {
        guard let nonce = request.request else { return nil }
        for number in limits.busy {
            let index = limits[number]?.takers.firstIndex { $0.request.request?.nonce == nonce.nonce }
            guard let index, let taker = limits[number]?.takers[index] else { continue }
            guard taker.request.request == nonce else { return .refused(Self.otherArguments) }
            if taker.request.caller != request.caller {
                change(limit: number, isStored: false) { $0.takers[index].request.caller = request.caller }
                displaced.append(taker.request.caller)
            }
            return .blocked
        }
        return nil
    }

    mutating func forgetTaker(_ caller: CallerID) {
        for number in limits.busy {
            _ = limits.change(number) { $0.takers.removeAll { $0.request.caller == caller } }
        }
    }

    /// Those who wait for a limit, the longest first.
    var takingCallers: [CallerID] {
        limits.busy.sorted().flatMap { limits[$0]?.takers.map(\.request.caller) ?? [] }
    }

    /// When something of a limit is to be done; `nil`: nothing.
    var nextLimitInstant: Timestamp? {
        limits.busy.isEmpty ? nil : limits.busy.compactMap { limits[$0]?.nextInstant }.min()
    }
}

extension Taker {
    fileprivate func isOver(_ now: Timestamp) -> Bool { until.map { $0 <= now } ?? false }
}

extension Permit {
    /// `slots i64 │ until i64`
    func write(to record: inout RecordWriter) {
        record.int64(slots)
        record.int64(until)
    }

    init(from record: inout RecordReader) { (slots, until) = (record.int64(), record.int64()) }
}

/// `limit u32 │ permit u64`
func permitKey(_ limit: UInt32, _ permit: Int64) -> KeyBytes {
    var key = queueKey(limit)
    key.append(UInt64(bitPattern: permit))
    return key
}

extension TakeAnswer {
    /// Only what was granted is remembered: `limit i64 │ remaining i64 │ reset i64 │ permit i64, 0: none`
    func write(to record: inout RecordWriter) {
        for field in [limit, remaining, reset, permit ?? 0] { record.int64(field) }
    }

    init(from record: inout RecordReader) {
        let (limit, remaining, reset) = (record.int64(), record.int64(), record.int64())
        let permit = record.int64()
        self.init(
            isLimited: false, limit: limit, remaining: remaining, retryAfter: nil, reset: reset,
            isOfSlots: permit != 0, permit: permit == 0 ? nil : permit)
    }
}

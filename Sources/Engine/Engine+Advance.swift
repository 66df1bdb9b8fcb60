public import MartletProtocol
public import MartletStorage

extension Engine {
    /// Bookkeeping of what is due by `now`, oldest first, at most `limit` of it: SCHEDULED tasks become PENDING, leases
    /// and attempts end, times to live end, records of ended tasks go, open breakers have cooled down. Where what
    /// happened to one task changes many others, it does so many of those and stops: others must not wait long.
    /// - Returns: how much it did; less than `limit`: nothing is left.
    public mutating func advance(
        to now: Timestamp, limit: Int, in transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Int {
        touchWaitedQueues()
        inWave = 0
        let ended = limits.busy.isEmpty ? 0 : try endPermits(by: now, limit: limit, transaction)
        for done in ended..<limit {
            switch try letNextHappen(by: now, before: crons.nextInstant ?? .max, transaction) {
            case .done: continue
            case .nothing where cronsAreDue(by: now): try runCrons(by: now, limit: 1, transaction)
            case .nothing: return done
            case .laterWave:
                // What has its instant does not wait for the end of a wave.
                try endLeases(by: now, limit: limit - done, transaction)
                try runCrons(by: now, limit: limit - done, transaction)
                return limit
            }
        }
        return limit
    }

    /// What changes the counts of tasks that are there and is due by `now` happens, at most so much of it.
    mutating func catchUp(
        to now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for _ in 0..<Self.settleLimit {
            guard try letNextHappen(by: now, before: .max, transaction) == .done else { return }
        }
    }

    private enum Happening {
        case done
        /// Nothing is due.
        case nothing
        /// The next is a wave, of which this group has done its part.
        case laterWave
    }

    /// The first breaker that has cooled down, lease or timer that is due by `now` and before `bound`.
    private mutating func letNextHappen(
        by now: Timestamp, before bound: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Happening {
        let timer = try firstTimer(by: now, transaction)
        let lease = leases.deadlines.first.flatMap { $0.at <= now ? $0 : nil }
        // A lease that ended before is a failure while it was open.
        if let cooled = breakers.firstCooled, cooled.at <= now, cooled.at <= lease?.at ?? .max {
            change(breaker: cooled.number, cooled.at) { _ in }
            return .done
        }
        if let lease, timer.map({ lease.at <= $0.at }) ?? true {
            guard lease.at < bound else { return .nothing }
            try endLease(lease.id, now, transaction)
            return .done
        }
        guard let timer, timer.at < bound else { return .nothing }
        if timer.kind.isWave, waveLeft == 0 { return .laterWave }
        try fire(timer, now, transaction)
        return .done
    }

    private mutating func firstTimer(
        by now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> TimerKey? {
        guard timerBound <= now else { return nil }
        guard let first = try transaction.first(Tables.timers, from: KeyBytes(), prefix: KeyBytes()) else {
            timerBound = .max
            return nil
        }
        guard let timer = TimerKey(first.key) else {
            throw StorageError(.damaged, "a timer of an unknown kind", table: Tables.timers, key: first.key)
        }
        timerBound = timer.at
        return timer.at <= now ? timer : nil
    }

    private mutating func fire(
        _ timer: TimerKey, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.delete(Tables.timers, timer.bytes)
        switch timer.kind {
        case .due:
            try comeDue(timer, transaction)
        case .timeToLive: try expire(timer.sequence, at: timer.at, now, transaction)
        case .retention: try removeEnded(timer.sequence, at: timer.at, transaction)
        case .unique: try freeUniqueKey(timer.hash, in: timer.queue, of: timer.sequence, transaction)
        case .resume: try endPause(timer.queue, at: timer.at, transaction)
        case .dependents: try tellMoreDependents(timer, transaction)
        case .batch: try forgetBatch(timer.sequence, keptUntil: timer.at, transaction)
        case .members: try cancelMembers(of: timer.sequence, behind: timer.hash, at: timer.at, transaction)
        case .text: try endTexts(timer, transaction)
        case .flushedTexts: try removeFlushedTexts(now, transaction)
        case .lines: try lineMore(timer.queue, timer.at, transaction)
        case .surplus: try removeSurplus(timer.queue, limit: 1, timer.at, transaction)
        case .keptLine: try removeFirst(of: timer, transaction)
        }
    }

    /// SCHEDULED becomes PENDING.
    private mutating func comeDue(
        _ timer: TimerKey, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let standsInLine = limitLines.has(timer.queue) || queues[Int(timer.queue) - 1].lining != .none
        let task = events.isOn || standsInLine ? try task(timer.sequence, transaction) : nil
        count(timer.queue, .scheduled, .due, of: timer.sequence, type: task?.type ?? 0)
        touched.insert(timer.queue)
        guard standsInLine, let task, let place = try waitingPlace(of: timer.sequence, task, transaction) else {
            return
        }
        if place.key.limits > 0 { change(timer.queue) { $0.dueCounts.count(place.key.limits, due: 1) } }
        guard place.flags & WaitingKey.Flag.line != 0 else { return }
        try comeDueInLine(place.key, group: groupHash(task), transaction)
    }

    /// A lease or an attempt's time is over.
    mutating func endLease(
        _ sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let lease = leases[sequence] else { return }
        let timeout = try task(sequence, transaction)?.timeout
        let started = try state(sequence, .active, transaction)?.startedAt ?? 0
        let isTimeout = timeout.map { lease.deadline >= started + $0 } ?? false
        let failure = Failure(
            reason: isTimeout ? .timeout : .leaseExpired,
            message: Bytes((isTimeout ? "the attempt ran past its TIMEOUT" : "the lease ran out unextended").utf8),
            kind: Bytes((isTimeout ? "timeout" : "lease_expired").utf8), next: .backoff)
        _ = try failAttempt(sequence, failure, at: lease.deadline, now, transaction)
        // Without a readable record there is nothing to bring back, but the lease must not fire for ever.
        try freeSlot(of: removeLease(sequence), transaction)
    }

    /// Leases that ended come back, oldest first.
    mutating func endLeases(
        by now: Timestamp, limit: Int, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for _ in 0..<limit {
            guard let first = leases.deadlines.first, first.at <= now else { return }
            try endLease(first.id, now, transaction)
        }
    }

    /// What is due for one task happens before a command on it.
    mutating func settle(
        _ sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        if let lease = leases[sequence], lease.deadline <= now {
            // A breaker counts failures in the order in which they happened.
            if breakers.isEmpty {
                try endLease(sequence, now, transaction)
            } else {
                try endLeases(by: now, limit: Self.settleLimit, transaction)
                try endLease(sequence, now, transaction)
            }
        }
        guard leases[sequence] == nil, timerBound <= now else { return }
        // What ends here may have been kept long enough, too.
        if let task = try task(sequence, transaction), let at = try expiry(of: sequence, task, transaction), at <= now {
            try expire(sequence, at: at, now, transaction)
        }
        if let keepUntil = try state(sequence, .ended, transaction)?.keepUntil, keepUntil <= now {
            try removeEnded(sequence, at: keepUntil, transaction)
        }
    }

    /// A task's time to live is over: if it waits it ends; if it is active it may finish.
    private mutating func expire(
        _ sequence: UInt64, at: Timestamp, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard leases[sequence] == nil, let task = try task(sequence, transaction) else { return }
        guard let place = try waitingPlace(of: sequence, task, transaction) else { return }
        try expireWaiting(place.key, place.flags, at: at, now, transaction)
    }

    /// Where a task waits, and the flags of its entry; `nil`: it does not wait.
    func waitingPlace<A>(
        of sequence: UInt64, _ task: TaskRecord, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> (key: WaitingKey, flags: UInt8)? {
        var state = try state(sequence, .waiting, transaction) ?? StateRecord(of: task)
        state.queue = task.queue
        let key = state.waitingKey(sequence)
        return try transaction.first(Tables.waiting, from: key.bytes, prefix: key.bytes).map { (key, $0.flags) }
    }

    /// Ends a waiting task whose time to live is over.
    mutating func expireWaiting(
        _ key: WaitingKey, _ flags: UInt8, at: Timestamp, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let task = try task(key.sequence, transaction) else { return }
        var state = try withdraw(key, flags, task, transaction)
        let was = state.state
        // The counters still say SCHEDULED where the bookkeeping is behind; the task itself was due.
        let from: TaskState = was == .scheduled && state.runAt <= at ? .pending : was
        state.state = count(task.queue, was, .expire, of: key.sequence, type: task.type)
        let row = HistoryRow(.timeToLive, of: state, from: from, to: .expired, at: at)
        try note(row, key.sequence, &state, transaction)
        try end(key.sequence, state, at: at, transaction)
    }

    /// Whether anything may be due by `now`. Looks at memory only; `true` may turn out to be nothing.
    public func mayBeDue(by now: Timestamp) -> Bool {
        isBehind(at: now) || watchers.nextDeadline.map { $0 <= now } ?? false
            || nextLimitInstant.map { $0 <= now } ?? false || nextGateInstant.map { $0 <= now } ?? false
            || breakers.firstCooled.map { $0.at <= now } ?? false
    }

    /// Whether bookkeeping may be due by `now`.
    func isBehind(at now: Timestamp) -> Bool {
        timerBound <= now || leases.deadlines.first.map { $0.at <= now } ?? false || cronsAreDue(by: now)
    }

    /// The next instant at which something happens by itself; in the past: it is waiting to be done. `nil`: nothing.
    public func nextInstant<A>(in transaction: borrowing Transaction<A>) throws(StorageError) -> Timestamp? {
        var next = [
            room.nextDeadline, watchers.nextDeadline, drains.nextDeadline, leases.deadlines.first?.at,
            crons.nextInstant, nextLimitInstant,
            nextGateInstant, breakers.firstCooled?.at,
        ].compactMap { $0 }.min()
        if timerBound < next ?? .max,
            let first = try transaction.first(Tables.timers, from: KeyBytes(), prefix: KeyBytes())
        {
            var reader = first.key.reader
            next = min(next ?? .max, reader.nextSigned())
        }
        return next
    }
}

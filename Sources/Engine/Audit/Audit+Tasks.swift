import MartletProtocol
import MartletStorage

extension Audit {
    /// Every task is in exactly one place, and everything that belongs to it is there.
    mutating func walkTasks<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.tasks, transaction, decode: { _, _ in },
            damaged: { audit, key in
                var reader = key.reader
                let sequence: UInt64 = reader.next()
                audit.report(.damagedRecord, "task \(audit.name(sequence))", .putAside(sequence))
            },
            { (audit, key, _) throws(StorageError) in
                var reader = key.reader
                try audit.check(task: reader.next(), transaction)
            })
    }

    private mutating func check<A>(
        task sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        highest.sequence = max(highest.sequence, sequence)
        guard let known = try known(sequence, transaction) else { return }
        tally(known.task.queue) { _ in }
        highest.type = max(highest.type, known.task.type)
        if known.task.hasBody, try !transaction.contains(Tables.bodies, BodyKind.payload.key(sequence)) {
            return report(.bodyMissing, "payload of task \(name(sequence))", .putAside(sequence))
        }
        try check(uniqueKeyOf: known, sequence, transaction)
        try check(orderOf: known, sequence, transaction)
        try check(batchOf: known, sequence, transaction)
        if known.isWaiting { try check(waiting: known, sequence, transaction) }
        if let ended = known.ended { try check(ended: ended, sequence, transaction) }
        if known.ended == nil, let at = known.expiresAt, at > now {
            try expect(TimerKey(at: at, kind: .timeToLive, sequence: sequence, queue: known.task.queue), transaction)
        }
    }

    /// It stands in the waiting index where its record says; before it is due it has a timer.
    private mutating func check<A>(
        waiting known: Known, _ sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        let key = known.waitingKey(sequence)
        let due = TimerKey(at: key.due, kind: .due, sequence: sequence, queue: key.queue)
        guard let entry = try transaction.first(Tables.waiting, from: key.bytes, prefix: key.bytes) else {
            var repairs: [Repair] = []
            var flags = known.waiting == nil ? 0 : WaitingKey.Flag.state
            if key.due > now {
                flags |= WaitingKey.Flag.timer
                repairs.append(.entry(Tables.timers, due.bytes, flags: 0))
            }
            if key.range.lane == .parked { (flags, repairs) = (WaitingKey.Flag.state, []) }
            repairs.append(.entry(Tables.waiting, key.bytes, flags: flags))
            return report(.taskNowhere, "task \(name(sequence))", repairs)
        }
        if entry.flags & WaitingKey.Flag.timer != 0, key.due > now { try expect(due, transaction) }
    }

    private mutating func check<A>(
        ended: StateRecord, _ sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        let key = EndedKey(queue: ended.queue, state: ended.state, at: ended.endedAt ?? 0, sequence: sequence)
        if try !transaction.contains(Tables.ended, key.bytes) {
            let flags = ended.hasRetentionTimer ? Engine.EndedFlag.timer : 0
            report(.endedUnlisted, "task \(name(sequence))", .entry(Tables.ended, key.bytes, flags: flags))
        }
        try check(retentionOf: ended, sequence, transaction)
        if ended.state == .dead { tally(kindOf: ended) }
        let lies = ended.resultSize != nil && ended.result == nil
        if lies, try !transaction.contains(Tables.bodies, BodyKind.result.key(sequence)) {
            var without = ended
            without.resultSize = nil
            report(.bodyMissing, "result of task \(name(sequence))", .state(.ended, sequence, without))
        }
    }

    mutating func expect<A>(
        _ timer: TimerKey, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        guard try !transaction.contains(Tables.timers, timer.bytes) else { return }
        report(
            .timerMissing, "\(timer.kind) of task \(name(timer.sequence))",
            .entry(Tables.timers, timer.bytes, flags: 0))
    }

    /// State records: each under the phase its state belongs to, one a task, with a task.
    mutating func walkStates<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        for phase in Phase.allCases {
            try records(
                Tables.states, prefix: phase.prefix, transaction, decode: { StateRecord(from: &$1) },
                damaged: { audit, key in
                    let sequence = Self.sequence(ofState: key)
                    audit.report(.damagedRecord, "state of task \(audit.name(sequence))", .putAside(sequence))
                },
                { (audit, key, state) throws(StorageError) in
                    try audit.check(state, phase, key, transaction)
                })
        }
    }

    private static func sequence(ofState key: KeyBytes) -> UInt64 {
        var reader = key.reader
        _ = reader.next(UInt8.self)
        return reader.next()
    }

    private mutating func check<A>(
        _ state: StateRecord, _ phase: Phase, _ key: KeyBytes, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        let sequence = Self.sequence(ofState: key)
        highest.token = max(highest.token, state.token)
        guard try exists(sequence, transaction) else {
            return report(.stateWithoutTask, "\(phase) state of \(name(sequence))", .delete(Tables.states, key))
        }
        guard let known = try known(sequence, transaction) else { return }
        let isDoubled =
            phase == .waiting && !known.isWaiting || phase == .active && known.ended != nil
        guard phase.holds(state), state.queue == known.task.queue, !isDoubled else {
            return report(.stateOutOfPlace, "\(phase) state of task \(name(sequence))", .delete(Tables.states, key))
        }
        if phase == .active { tally(state.queue) { $0.count(.active, 1) } }
        let log = taskKey(sequence)
        if state.hasLog, try transaction.first(Tables.logs, from: log, prefix: log) == nil {
            var without = state
            without.hasLog = false
            report(.logMissing, "log of task \(name(sequence))", .state(phase, sequence, without))
        }
    }
}

extension Phase {
    /// Whether a record of this phase may say what `state` says.
    fileprivate func holds(_ state: StateRecord) -> Bool {
        switch self {
        // What it was before the hand-out stays in the record of an active one.
        case .active: state.token > 0 && state.endedAt == nil
        case .waiting: state.endedAt == nil
        case .ended: state.endedAt != nil && ![.active, .pending, .scheduled, .blocked].contains(state.state)
        }
    }
}

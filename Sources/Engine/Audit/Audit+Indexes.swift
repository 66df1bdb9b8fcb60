import MartletProtocol
import MartletStorage

extension Audit {
    /// Every waiting entry is where its task stands, and says whether there is a state record.
    mutating func walkWaiting<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try entries(Tables.waiting, transaction) { (audit, bytes, flags) throws(StorageError) in
            let key = WaitingKey(bytes)
            guard try audit.exists(key.sequence, transaction) else {
                return audit.report(
                    .waitingWithoutTask, "entry of \(audit.name(key.sequence))", .delete(Tables.waiting, bytes))
            }
            guard let known = try audit.known(key.sequence, transaction) else { return }
            guard known.isWaiting, known.waitingKey(key.sequence).bytes == bytes else {
                return audit.report(
                    .misplacedWaiting, "entry of task \(audit.name(key.sequence))", .delete(Tables.waiting, bytes))
            }
            let right = known.waiting == nil ? 0 : WaitingKey.Flag.state
            if flags & WaitingKey.Flag.state != right {
                let better = flags & ~WaitingKey.Flag.state | right
                audit.report(
                    .misplacedWaiting, "flags of task \(audit.name(key.sequence))",
                    .entry(Tables.waiting, bytes, flags: better))
            }
            if flags & WaitingKey.Flag.line != 0 { try audit.check(lineOf: known, key, transaction) }
            audit.tally(key.queue) {
                $0.countWaiting(key.range, 1)
                $0.count(key.range.lane == .parked ? .blocked : .pending, 1)
                if key.limits > 0 { $0.dueCounts.count(key.limits, due: 1) }
            }
        }
    }

    /// Every timer has something to do.
    mutating func walkTimers<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try entries(Tables.timers, transaction) { (audit, bytes, _) throws(StorageError) in
            guard let timer = TimerKey(bytes) else {
                return audit.report(.timerDangling, "timer of an unknown kind", .delete(Tables.timers, bytes))
            }
            if let isNeeded = try audit.isNeeded(taskless: timer, transaction) {
                guard !isNeeded else { return }
                return audit.report(
                    .timerDangling, "\(timer.kind) of \(audit.name(timer.sequence))", .delete(Tables.timers, bytes))
            }
            let known = try audit.known(timer.sequence, transaction)
            // Of a damaged record nothing can be said; it is reported where it is met.
            if known == nil, try audit.exists(timer.sequence, transaction) { return }
            guard let known, try audit.isNeeded(timer, known, transaction) else {
                return audit.report(
                    .timerDangling, "\(timer.kind) of \(audit.name(timer.sequence))", .delete(Tables.timers, bytes))
            }
            // While its due timer stands, a task counts as SCHEDULED.
            guard timer.kind == .due else { return }
            let limits = known.waitingKey(timer.sequence).limits
            audit.tally(timer.queue) {
                $0.count(.scheduled, 1)
                $0.count(.pending, -1)
                if limits > 0 { $0.dueCounts.count(limits, due: -1) }
            }
        }
    }

    /// Of a timer that does not need its task; `nil`: it does.
    private func isNeeded<A>(
        taskless timer: TimerKey, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool? {
        switch timer.kind {
        case .unique: try isNeeded(unique: timer, transaction)
        case .resume: queues[timer.queue]?.pause.nextEnd == timer.at
        case .surplus: queues[timer.queue] != nil
        case .dependents: true
        case .batch, .members: try isNeeded(batch: timer, transaction)
        case .text: try isNeeded(text: timer, transaction)
        case .flushedTexts: broker.map { $0.flushedTexts > 0 } ?? true
        case .lines: queues[timer.queue]?.lining.isUnderWay
        case .keptLine: queues[timer.queue].map { isNeeded(keptLine: timer, $0.kept) } ?? false
        case .due, .timeToLive, .retention: nil
        }
    }

    private func isNeeded<A>(
        _ timer: TimerKey, _ known: Known, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool {
        guard timer.queue == known.task.queue else { return false }
        switch timer.kind {
        case .timeToLive: return known.ended == nil && known.expiresAt == timer.at
        case .retention: return known.ended?.hasRetentionTimer == true && known.ended?.keepUntil == timer.at
        case .unique, .resume, .surplus, .dependents, .batch, .members, .text, .lines, .flushedTexts, .keptLine:
            return true
        case .due:
            guard known.isWaiting, known.state.runAt == timer.at else { return false }
            let key = known.waitingKey(timer.sequence).bytes
            // Without its entry the task is nowhere, which is another finding.
            guard let entry = try transaction.first(Tables.waiting, from: key, prefix: key) else { return true }
            return entry.flags & WaitingKey.Flag.timer != 0
        }
    }

    private func isNeeded<A>(
        text timer: TimerKey, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool {
        try whole(of: true) { () throws(StorageError) in
            let ends = try transaction.read(Tables.texts, TextKey(timer).bytes) { TextBucket.ends(from: &$0) }
            return ends?.contains(timer.at) ?? false
        }
    }

    /// Whoever is listed as ended has ended that way and then.
    mutating func walkEnded<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try entries(Tables.ended, transaction) { (audit, bytes, flags) throws(StorageError) in
            let key = EndedKey(bytes)
            let known = try key.map { (key) throws(StorageError) in try audit.known(key.sequence, transaction) } ?? nil
            let state = known?.ended
            guard let key, let state, key.queue == state.queue, key.state == state.state, key.at == state.endedAt
            else {
                if let key, known == nil, try audit.exists(key.sequence, transaction) { return }
                let name = key.map { audit.name($0.sequence) } ?? "nobody"
                return audit.report(.endedDangling, "entry of \(name)", .delete(Tables.ended, bytes))
            }
            audit.tally(key.queue) { $0.count(key.state, 1) }
            let right = state.hasRetentionTimer ? Engine.EndedFlag.timer : 0
            guard flags != right else { return }
            audit.report(
                .endedDangling, "flags of task \(audit.name(key.sequence))", .entry(Tables.ended, bytes, flags: right))
        }
    }

    mutating func walkBodies<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.bodies, transaction, decode: { _, _ in },
            damaged: { audit, key in
                var reader = key.reader
                let sequence: UInt64 = reader.next()
                let isPayload = reader.next(UInt8.self) == BodyKind.payload.rawValue
                audit.report(
                    .damagedRecord, "\(isPayload ? "payload" : "result") of task \(audit.name(sequence))",
                    isPayload ? .putAside(sequence) : .quarantine(Tables.bodies, key))
            },
            { (audit, key, _) throws(StorageError) in
                var reader = key.reader
                let sequence: UInt64 = reader.next()
                if reader.next(UInt8.self) == BodyKind.cron.rawValue {
                    if try transaction.contains(Tables.crons, CronEntry.key(sequence)) { return }
                    return audit.report(.bodyDangling, "payload of cron entry \(sequence)", .delete(Tables.bodies, key))
                }
                guard try !audit.exists(sequence, transaction) else { return }
                audit.report(.bodyDangling, "body of \(audit.name(sequence))", .delete(Tables.bodies, key))
            })
    }

    mutating func walkHistory<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.history, transaction, decode: { _ = HistoryRow(from: &$1) },
            damaged: { audit, key in
                var reader = key.reader
                audit.report(
                    .damagedRecord, "history of task \(audit.name(reader.next()))",
                    .quarantine(Tables.history, key))
            },
            { (audit, key, _) throws(StorageError) in
                var reader = key.reader
                let sequence: UInt64 = reader.next()
                guard try !audit.exists(sequence, transaction) else { return }
                audit.report(.historyDangling, "row of \(audit.name(sequence))", .delete(Tables.history, key))
            })
    }

    /// Lines of tasks' logs; workers; operations.
    mutating func walkLogs<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.logs, transaction, decode: { _, _ in },
            damaged: { audit, key in
                var reader = key.reader
                audit.report(
                    .damagedRecord, "log of task \(audit.name(reader.next()))", .quarantine(Tables.logs, key))
            },
            { (audit, key, _) throws(StorageError) in
                var reader = key.reader
                let sequence: UInt64 = reader.next()
                let known = try audit.known(sequence, transaction)
                if known == nil, try audit.exists(sequence, transaction) { return }
                let state = known?.active ?? known?.waiting ?? known?.ended
                guard state?.hasLog != true else { return }
                audit.report(.logDangling, "lines of \(audit.name(sequence))", .delete(Tables.logs, key))
            })
        try records(
            Tables.workers, transaction, decode: { _, _ in },
            damaged: { audit, key in
                audit.report(.damagedRecord, "a worker", .quarantine(Tables.workers, key))
            },
            { _, _, _ in })
        try records(
            Tables.operations, transaction, decode: { _, _ in },
            damaged: { audit, key in
                audit.report(
                    .damagedRecord, "an operation on many tasks", .quarantine(Tables.operations, key))
            },
            { _, _, _ in })
        try records(
            Tables.crons, transaction, decode: { _ = CronEntry(number: 0, from: &$1) },
            damaged: { audit, key in
                audit.report(.damagedRecord, "a cron entry", .quarantine(Tables.crons, key))
            },
            { _, _, _ in })
        try walkLimits(transaction)
    }

    mutating func walkRequests<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.requests, transaction, decode: { _, _ in },
            damaged: { audit, key in
                audit.report(.damagedRecord, "remembered answers", .quarantine(Tables.requests, key))
            },
            { _, _, _ in })
    }
}

import MartletProtocol
import MartletStorage

/// Everything the tables say, read once, to be held against itself.
struct Census {
    private(set) var tasks: [UInt64: TaskRecord] = [:]
    private(set) var states: [Phase: [UInt64: StateRecord]] = [:]
    private(set) var waiting: [UInt64: (key: WaitingKey, flags: UInt8)] = [:]
    private(set) var timers: [TimerKey] = []
    private(set) var ended: [UInt64: EndedKey] = [:]
    private(set) var bodies: Set<UInt64> = []
    private(set) var cronBodies: Set<UInt64> = []
    /// Tasks with anything in `logs`.
    private(set) var logs: Set<UInt64> = []
    private(set) var historyRows: [UInt64: Int] = [:]
    var holds: [FoundHold] = []
    var kinds: [FoundKind] = []
    private var findings: [String] = []
    /// What parked tasks wait for, and who waits for whom: (the other, the one that waits).
    private(set) var dependencies: [UInt64: [UInt64]] = [:]
    private var dependents: Set<[UInt64]> = []
    var orders: [OrderPlace: [UInt64]] = [:]
    var lines: [(key: WaitingKey, group: UInt64)] = []
    var turns: Set<Bytes> = []
    var groups: [Bytes: GroupTurn] = [:]

    mutating func readTasks<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        var read: [UInt64: TaskRecord] = [:]
        var damaged = 0
        try transaction.scanRecords(
            Tables.tasks, from: KeyBytes(), prefix: KeyBytes(), damaged: { _ in damaged += 1 }
        ) { key, record in
            var reader = key.reader
            let sequence: UInt64 = reader.next()
            read[sequence] = TaskRecord(from: &record, sequence: sequence)
            _ = record.rest()
            return true
        }
        tasks = read
        if damaged > 0 { findings.append("\(damaged) damaged task records") }
    }

    mutating func readStates<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        for phase in Phase.allCases {
            var read: [UInt64: StateRecord] = [:]
            var damaged = 0
            try transaction.scanRecords(
                Tables.states, from: phase.prefix, prefix: phase.prefix, damaged: { _ in damaged += 1 }
            ) { key, record in
                var reader = key.reader
                _ = reader.next(UInt8.self)
                read[reader.next()] = StateRecord(from: &record)
                return true
            }
            states[phase] = read
            if damaged > 0 { findings.append("\(damaged) damaged state records (\(phase))") }
        }
    }

    mutating func readIndexes<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        let all = KeyBytes()
        var entries: [(KeyBytes, UInt8)] = []
        try transaction.scan(Tables.waiting, from: all, prefix: all) { key, flags in
            entries.append((key, flags))
            return true
        }
        for (bytes, flags) in entries {
            let key = WaitingKey(bytes)
            if waiting[key.sequence] != nil { findings.append("task \(key.sequence) waits twice") }
            waiting[key.sequence] = (key, flags)
        }
        timers = try keys(Tables.timers, transaction).compactMap(TimerKey.init)
        for key in try keys(Tables.ended, transaction).compactMap(EndedKey.init) {
            if ended[key.sequence] != nil { findings.append("task \(key.sequence) ended twice") }
            ended[key.sequence] = key
        }
        try readDependencies(transaction)
        try readOrders(transaction)
        try readLines(transaction)
        try readUnique(transaction)
        try readKinds(transaction)
        for key in try keys(Tables.bodies, transaction) {
            // A cron entry's payload is named by the entry's number.
            if key.bytes.last == BodyKind.cron.rawValue {
                cronBodies.insert(sequence(of: key))
            } else {
                bodies.insert(sequence(of: key))
            }
        }
        for key in try keys(Tables.logs, transaction) { logs.insert(sequence(of: key)) }
        for key in try keys(Tables.history, transaction) { historyRows[sequence(of: key), default: 0] += 1 }
    }

    private mutating func readDependencies<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        var read: [UInt64: [UInt64]] = [:]
        try transaction.scanRecords(Tables.dependencies, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            read[reader.next()] = OpenDependencies(from: &record).open
            return true
        }
        dependencies = read
        for key in try keys(Tables.dependents, transaction) {
            var reader = key.reader
            dependents.insert([reader.next(), reader.next()])
        }
    }

    /// Whoever is parked says what for, and the others know.
    private func dependencyDisagreements() -> [String] {
        let parked = waiting.values.filter { $0.key.range.lane == .parked }.map(\.key.sequence)
        let edges = Set(dependencies.flatMap { sequence, open in open.map { [$0, sequence] } })
        let held = Set(dependencies.keys).union(heldBack)
        return Set(parked).symmetricDifference(held).map { "task \($0) is parked for nothing, or not" }
            + edges.symmetricDifference(dependents).map { "who waits for task \($0[0]) is not agreed" }
    }

    func keys<A>(_ table: Table, _ transaction: borrowing Transaction<A>) throws(StorageError) -> [KeyBytes] {
        var keys: [KeyBytes] = []
        try transaction.scan(table, from: KeyBytes(), prefix: KeyBytes()) { key, _ in
            keys.append(key)
            return true
        }
        return keys
    }

    private func sequence(of key: KeyBytes) -> UInt64 {
        var reader = key.reader
        return reader.next()
    }

    // MARK: What it says

    func waiting(_ queue: UInt32, _ range: WaitingRange) -> (count: Int64, first: Timestamp?) {
        let there = waiting.values.map(\.key).filter { $0.queue == queue && $0.range == range }
        return (Int64(there.count), there.filter { $0.limits == 0 }.map(\.due).min())
    }

    func count(_ queue: UInt32, _ state: TaskState) -> Int64 {
        switch state {
        case .scheduled: Int64(timers.count { $0.kind == .due && $0.queue == queue })
        case .pending:
            Int64(waiting.values.count { $0.key.queue == queue }) - count(queue, .scheduled) - count(queue, .blocked)
        case .active: Int64((states[.active] ?? [:]).values.count { $0.queue == queue })
        case .blocked: Int64(waiting.values.count { $0.key.queue == queue && $0.key.range.lane == .parked })
        default: Int64(ended.values.count { $0.queue == queue && $0.state == state })
        }
    }

    /// Where the tables disagree with each other.
    func disagreements() -> [String] {
        findings + homeDisagreements() + timerDisagreements() + endedDisagreements() + leftovers()
            + uniqueDisagreements() + kindDisagreements() + dependencyDisagreements() + orderDisagreements()
    }

    /// Every task is in exactly one place, and every place has a task.
    private func homeDisagreements() -> [String] {
        var findings: [String] = []
        let active = states[.active] ?? [:]
        let again = states[.waiting] ?? [:]
        let over = states[.ended] ?? [:]
        for sequence in Set(tasks.keys).union(waiting.keys).union(active.keys).union(over.keys) {
            let homes =
                (waiting[sequence] == nil ? 0 : 1) + (active[sequence] == nil ? 0 : 1)
                + (over[sequence] == nil ? 0 : 1)
            if tasks[sequence] == nil { findings.append("task \(sequence) has no record") }
            if homes != 1 { findings.append("task \(sequence) is in \(homes) places") }
        }
        for (sequence, entry) in waiting {
            let flagged = entry.flags & WaitingKey.Flag.state != 0
            if flagged != (again[sequence] != nil) { findings.append("task \(sequence) waits with a wrong state flag") }
            let state = again[sequence] ?? tasks[sequence].map(StateRecord.init(of:))
            guard let state else { continue }
            if state.waitingKey(sequence).bytes != entry.key.bytes {
                findings.append("task \(sequence) waits in a wrong place")
            }
        }
        for sequence in again.keys where waiting[sequence] == nil {
            findings.append("task \(sequence) has a waiting record but does not wait")
        }
        return findings
    }

    private func timerDisagreements() -> [String] {
        var findings: [String] = []
        for timer in timers {
            switch timer.kind {
            case .due:
                let entry = waiting[timer.sequence]
                if entry?.key.due != timer.at || entry.map({ $0.flags & WaitingKey.Flag.timer == 0 }) ?? true {
                    findings.append("task \(timer.sequence) has a due timer but does not wait for it")
                }
            case .timeToLive:
                if expiry(of: timer.sequence) != timer.at || ended[timer.sequence] != nil {
                    findings.append("task \(timer.sequence) has a wrong time-to-live timer")
                }
            case .retention:
                let state = states[.ended]?[timer.sequence]
                if state?.keepUntil != timer.at || state?.hasRetentionTimer != true {
                    findings.append("task \(timer.sequence) has a wrong retention timer")
                }
            // Held against the keys, not against the tasks: see `uniqueDisagreements`.
            case .unique: break
            // Held against the queues' own state, not against the tasks.
            case .resume, .surplus, .dependents, .batch, .members, .text, .lines, .flushedTexts, .keptLine: break
            }
        }
        return findings
    }

    /// When a time to live ends: a retry restarts it.
    private func expiry(of sequence: UInt64) -> Timestamp? {
        if let state = states[.waiting]?[sequence] ?? states[.active]?[sequence] { return state.expiresAt }
        return tasks[sequence]?.expiresAt
    }

    private func endedDisagreements() -> [String] {
        var findings: [String] = []
        let kept = Set(timers.filter { $0.kind == .retention }.map(\.sequence))
        for (sequence, state) in states[.ended] ?? [:] {
            let key = ended[sequence]
            if key?.at != state.endedAt || key?.state != state.state || key?.queue != state.queue {
                findings.append("task \(sequence) is not where ended tasks of its state are")
            }
            if state.hasRetentionTimer != kept.contains(sequence) {
                findings.append("task \(sequence) has no retention timer, or one too many")
            }
            if let until = state.keepUntil, !state.hasRetentionTimer, !hasLine(state, until) {
                findings.append("task \(sequence) stands in no line of those that are kept")
            }
        }
        for sequence in ended.keys where states[.ended]?[sequence] == nil {
            findings.append("task \(sequence) is listed as ended but is not")
        }
        return findings
    }

    /// Whether a line's timer sees to the end of its record.
    private func hasLine(_ state: StateRecord, _ until: Timestamp) -> Bool {
        timers.contains {
            $0.kind == .keptLine && $0.queue == state.queue && $0.sequence == UInt64(state.state.rawValue)
                && $0.at <= until
        }
    }

    /// What belongs to a task is there as long as the task is.
    private func leftovers() -> [String] {
        let logged = states.values.flatMap { $0 }.filter { $0.value.hasLog }.map(\.key)
        return logs.symmetricDifference(logged).map { "task \($0) has a log it does not know of, or lost it" }
            + bodies.filter { tasks[$0] == nil }.map { "task \($0) is gone but a body is left" }
            + historyRows.keys.filter { tasks[$0] == nil }.map { "task \($0) is gone but history is left" }
            + tasks.filter { $0.value.hasBody && !bodies.contains($0.key) }.map { "task \($0.key) lost its payload" }
    }
}

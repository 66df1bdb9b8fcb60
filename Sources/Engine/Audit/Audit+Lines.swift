import MartletProtocol
import MartletStorage

/// The lines of queues with FAIR or GROUPCONCURRENCY: a task that says so stands in the line of its
/// group, and the group has its turn while it has a slot.
extension Audit {
    private func group(of task: TaskRecord) -> UInt64? {
        guard let secret = broker?.secret else { return nil }
        return task.group.map { max(1, StableHash.hash($0, seed: secret)) } ?? 0
    }

    mutating func check<A>(
        lineOf known: Known, _ key: WaitingKey, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        guard let group = group(of: known.task) else { return }
        let line = LineKey.bytes(key, group: group)
        let right = try transaction.contains(Tables.timers, key.dueTimer.bytes) ? 0 : LineKey.due
        guard try transaction.first(Tables.lines, from: line, prefix: line)?.flags != right else { return }
        report(.lineMissing, "task \(name(key.sequence))", .entry(Tables.lines, line, flags: right))
    }

    mutating func walkLines<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        guard broker != nil else { return }
        try countSlots(transaction)
        try entries(Tables.lines, transaction) { (audit, bytes, _) throws(StorageError) in
            let (key, group) = LineKey.read(bytes)
            let known = try audit.known(key.sequence, transaction)
            // Of a damaged record nothing can be said; it is reported where it is met.
            if known == nil, try audit.exists(key.sequence, transaction) { return }
            let entry = try transaction.first(Tables.waiting, from: key.bytes, prefix: key.bytes)
            guard let known, audit.group(of: known.task) == group, let entry,
                entry.flags & WaitingKey.Flag.line != 0
            else {
                return audit.report(.lineDangling, "task \(audit.name(key.sequence))", .delete(Tables.lines, bytes))
            }
            guard let round = audit.queues[key.queue]?.round(of: key),
                try !transaction.contains(Tables.groups, round.key(group))
            else { return }
            let due = try audit.dueTasks(of: group, in: round, transaction)
            let turn = GroupTurn(served: .none, first: Stamp(due: key), due: due)
            audit.report(
                .turnMissing, "the group of task \(audit.name(key.sequence))",
                audit.repairs(of: turn, in: round, group))
        }
        try walkGroups(transaction)
        try walkTurns(transaction)
    }

    /// The tasks in hand of queues where groups have slots.
    private mutating func countSlots<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        guard queues.values.contains(where: \.settings.boundsGroups) else { return }
        let active = Phase.active.prefix
        try records(
            Tables.states, prefix: active, transaction, decode: { StateRecord(from: &$1) }, damaged: { _, _ in },
            { (audit, key, state) throws(StorageError) in
                guard audit.queues[state.queue]?.settings.boundsGroups == true else { return }
                var reader = key.reader
                _ = reader.next(UInt8.self)
                guard let known = try audit.known(reader.next(), transaction), let group = audit.group(of: known.task)
                else { return }
                audit.held[state.queue, default: [:]][group, default: 0] += 1
            })
    }

    /// Whether all slots of a group are taken.
    private func isFull(_ group: UInt64, _ queue: UInt32) -> Bool {
        guard group != 0, let most = queues[queue]?.options.groupConcurrency else { return false }
        return held[queue]?[group] ?? 0 >= most
    }

    private func repairs(of turn: GroupTurn, in round: Round, _ group: UInt64) -> [Repair] {
        let record = Repair.group(round.key(group), turn)
        return isFull(group, round.queue)
            ? [record] : [record, .entry(Tables.turns, turn.key(in: round, group), flags: 0)]
    }

    /// A group's turn is when it was served, or when its first task is due.
    private mutating func walkGroups<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.groups, transaction, decode: { GroupTurn(from: &$1) },
            damaged: { audit, key in audit.report(.damagedRecord, "turn of a group", .quarantine(Tables.groups, key)) },
            { (audit, key, group) throws(StorageError) in
                var reader = key.reader
                let round = Round(&reader)
                let hash: UInt64 = reader.next()
                guard let first = try LineKey.first(hash, in: round, transaction) else {
                    return audit.report(.turnDangling, "a group of queue \(round.queue)", .delete(Tables.groups, key))
                }
                let due = try audit.dueTasks(of: hash, in: round, transaction)
                let right = GroupTurn(served: group.served, first: Stamp(due: first), due: due)
                if audit.isFull(hash, round.queue) {
                    audit.tally(round.queue) { $0.dueCounts.count(round.limits, full: due) }
                }
                let isInRound = try transaction.contains(Tables.turns, right.key(in: round, hash))
                let isThere = isInRound || audit.isFull(hash, round.queue)
                guard group != right || !isThere else { return }
                audit.report(
                    .turnMissing, "a group of queue \(round.queue)", audit.repairs(of: right, in: round, hash))
            })
    }

    /// How many of the tasks in a group's line are due.
    private func dueTasks<A>(
        of group: UInt64, in round: Round, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Int64 {
        var due: Int64 = 0
        for range in round.ranges {
            let prefix = LineKey.prefix(queue: round.queue, range: range, limits: round.limits, group: group)
            try transaction.scan(Tables.lines, from: prefix, prefix: prefix) { _, flags in
                due += flags & LineKey.due == 0 ? 0 : 1
                return true
            }
        }
        return due
    }

    private mutating func walkTurns<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try entries(Tables.turns, transaction) { (audit, bytes, _) throws(StorageError) in
            let (round, _, hash) = GroupTurn.readTurn(bytes)
            let group = try audit.whole(of: nil) { () throws(StorageError) in
                try transaction.read(Tables.groups, round.key(hash)) { GroupTurn(from: &$0) }
            }
            guard group?.key(in: round, hash) != bytes || audit.isFull(hash, round.queue) else { return }
            audit.report(.turnDangling, "a turn in queue \(round.queue)", .delete(Tables.turns, bytes))
        }
    }

    /// Whether the rest of a queue's tasks will be lined up.
    func hasLiningTimer<A>(
        _ queue: UInt32, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool {
        var isThere = false
        try transaction.scan(Tables.timers, from: KeyBytes(), prefix: KeyBytes()) { key, _ in
            guard let timer = TimerKey(key) else { return true }
            isThere = isThere || timer.kind == .lines && timer.queue == queue
            return !isThere && timer.at <= now
        }
        return isThere
    }
}

import MartletProtocol
import MartletStorage

/// The lines of FAIR queues: a task that says so stands in the line of its group, and the group has its turn.
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
        guard try !transaction.contains(Tables.lines, line) else { return }
        report(.lineMissing, "task \(name(key.sequence))", .entry(Tables.lines, line, flags: 0))
    }

    mutating func walkLines<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        guard broker != nil else { return }
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
            let place = GroupTurn.key(queue: key.queue, priority: key.range.priority, group: group)
            guard try !transaction.contains(Tables.groups, place) else { return }
            let turn = GroupTurn(served: .none, first: Stamp(due: key))
            audit.report(
                .turnMissing, "the group of task \(audit.name(key.sequence))", .group(place, turn),
                .entry(
                    Tables.turns, turn.turnKey(queue: key.queue, priority: key.range.priority, group: group), flags: 0))
        }
        try walkGroups(transaction)
        try walkTurns(transaction)
    }

    /// A group's turn is when it was served, or when its first task is due.
    private mutating func walkGroups<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.groups, transaction, decode: { GroupTurn(from: &$1) },
            damaged: { audit, key in audit.report(.damagedRecord, "turn of a group", .quarantine(Tables.groups, key)) },
            { (audit, key, group) throws(StorageError) in
                var reader = key.reader
                let queue: UInt32 = reader.next()
                let inverse: UInt8 = reader.next()
                let (priority, hash) = (10 - Int(inverse), reader.next() as UInt64)
                guard let first = try LineKey.first(queue, priority, hash, transaction) else {
                    return audit.report(.turnDangling, "a group of queue \(queue)", .delete(Tables.groups, key))
                }
                let right = GroupTurn(served: group.served, first: Stamp(due: first))
                let turn = right.turnKey(queue: queue, priority: priority, group: hash)
                let isInRound = try transaction.contains(Tables.turns, turn)
                guard group != right || !isInRound else { return }
                audit.report(
                    .turnMissing, "a group of queue \(queue)", .group(key, right),
                    .entry(Tables.turns, turn, flags: 0))
            })
    }

    private mutating func walkTurns<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try entries(Tables.turns, transaction) { (audit, bytes, _) throws(StorageError) in
            let (queue, priority, _, hash) = GroupTurn.readTurn(bytes)
            let group = try audit.whole(of: nil) { () throws(StorageError) in
                try transaction.read(Tables.groups, GroupTurn.key(queue: queue, priority: priority, group: hash)) {
                    GroupTurn(from: &$0)
                }
            }
            guard group?.turnKey(queue: queue, priority: priority, group: hash) != bytes else { return }
            audit.report(.turnDangling, "a turn in queue \(queue)", .delete(Tables.turns, bytes))
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

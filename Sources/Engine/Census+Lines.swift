import MartletProtocol
import MartletStorage

/// The lines of queues with FAIR or GROUPCONCURRENCY.
extension Census {
    mutating func readLines<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        lines = try keys(Tables.lines, transaction).map(LineKey.read)
        turns = Set(try keys(Tables.turns, transaction).map(\.bytes))
        var read: [Bytes: GroupTurn] = [:]
        try transaction.scanRecords(Tables.groups, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            read[key.bytes] = GroupTurn(from: &record)
            return true
        }
        groups = read
    }

    /// Who waits in a line says so, tasks of one group stand together, and each group has its turn while it
    /// has a slot.
    func lineDisagreements(_ engine: Engine) -> [String] {
        var findings: [String] = []
        let lined = waiting.filter { $0.value.flags & WaitingKey.Flag.line != 0 }
        let standing = Set(lines.map(\.key.sequence))
        findings += standing.symmetricDifference(lined.keys).map { "task \($0) stands in a line and does not say so" }
        if standing.count != lines.count { findings.append("a task stands in two lines") }
        var names: [Bytes: Set<Bytes?>] = [:]
        var firsts: [Bytes: Stamp] = [:]
        var turnsDue: Set<Bytes> = []
        for (key, group) in lines {
            if waiting[key.sequence]?.key.bytes != key.bytes {
                findings.append("task \(key.sequence) is lined up wrongly")
            }
            let round = engine.queue(key.queue).round(of: key)
            let place = round.key(group).bytes
            names[place, default: []].insert(tasks[key.sequence]?.group)
            firsts[place] = min(firsts[place] ?? Stamp(due: key), Stamp(due: key))
            if let turn = groups[place], !isFull(group, key.queue, engine) {
                turnsDue.insert(turn.key(in: round, group).bytes)
            }
        }
        if names.values.contains(where: { $0.count > 1 }) { findings.append("tasks of two groups stand in one line") }
        findings += Set(firsts.keys).symmetricDifference(groups.keys).map { "a group has a line and no turn: \($0)" }
        for (place, first) in firsts {
            guard let group = groups[place], group.turn != max(group.served, first) else { continue }
            findings.append("a group has its turn at a wrong time: \(place)")
        }
        if turns != turnsDue { findings.append("the round is not what the groups say") }
        return findings
    }

    /// Whether a group's slots are taken, as the state records say.
    private func isFull(_ group: UInt64, _ queue: UInt32, _ engine: Engine) -> Bool {
        guard group != 0, let most = engine.queue(queue).options.groupConcurrency else { return false }
        let active = (states[.active] ?? [:]).filter { $0.value.queue == queue }
        return active.keys.count { engine.groupHash(tasks[$0]) == group } >= most
    }
}

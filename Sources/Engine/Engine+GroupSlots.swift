import MartletProtocol
import MartletStorage

/// GROUPCONCURRENCY: so many tasks of a group may be in hand. A group whose slots are taken stands in no round, however
/// many tasks it has, so that no hand-out comes by it.
extension Engine {
    /// Waiting tasks that are looked at while they are not all lined up yet.
    private static let stepsOver = 100

    /// What stands for a task's group in its lease; `nil`: nobody counts it.
    func boundedGroup(_ task: TaskRecord) -> UInt64? {
        guard task.group != nil, queue(task.queue).settings.boundsGroups else { return nil }
        return groupHash(task)
    }

    /// Whether all slots of a group are taken. Tasks without a group need none.
    func isFull(_ group: UInt64, in queue: UInt32) -> Bool {
        guard group != 0, let most = self.queue(queue).settings.options.groupConcurrency else { return false }
        return leases.held(of: group, in: queue) >= most
    }

    /// A task of a group is in hand from now on: with the last slot its group leaves its rounds.
    mutating func takeSlot(
        of group: UInt64, in queue: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard leases.held(of: group, in: queue) == self.queue(queue).settings.options.groupConcurrency else { return }
        try leaveRounds(group, in: queue, transaction)
    }

    /// A task is in hand no more: if its group had no slot left, it takes its place in its rounds.
    mutating func freeSlot(
        of lease: Lease?, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let lease, let group = lease.group,
            let most = queues[Int(lease.queue) - 1].settings.options.groupConcurrency
        else { return }
        guard leases.held(of: group, in: lease.queue) == most - 1 else { return }
        touched.insert(lease.queue)
        try enterRounds(group, in: lease.queue, transaction)
    }

    /// The rounds that a group of a queue may stand in.
    private func rounds(of queue: UInt32) -> [Round] {
        let state = self.queue(queue)
        return ([0] + limitLines.sets(of: queue)).flatMap(state.rounds)
    }

    /// A group has no slot left: its due tasks are held up.
    private mutating func leaveRounds(
        _ group: UInt64, in queue: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for round in rounds(of: queue) {
            guard let turn = try transaction.read(Tables.groups, round.key(group), { GroupTurn(from: &$0) }) else {
                continue
            }
            try transaction.delete(Tables.turns, turn.key(in: round, group))
            change(queue) { $0.dueCounts.count(round.limits, full: turn.due) }
        }
    }

    /// It has one again.
    private mutating func enterRounds(
        _ group: UInt64, in queue: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for round in rounds(of: queue) {
            guard let turn = try transaction.read(Tables.groups, round.key(group), { GroupTurn(from: &$0) }) else {
                continue
            }
            try transaction.put(Tables.turns, turn.key(in: round, group), flags: 0)
            change(queue) { $0.dueCounts.count(round.limits, full: -turn.due) }
        }
    }

    /// GROUPCONCURRENCY of a queue is another from now on. Groups of which nothing is in hand are none the wiser.
    mutating func changeSlots(
        of queue: UInt32, from before: Int64?, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let now = queues[Int(queue) - 1].options.groupConcurrency
        guard now != before else { return }
        if before == nil { try countGroups(of: queue, transaction) }
        for (group, held) in leases.groups(of: queue).sorted(by: { $0.key < $1.key }) {
            let (wasFull, isFull) = (before.map { held >= $0 } ?? false, now.map { held >= $0 } ?? false)
            guard wasFull != isFull else { continue }
            try isFull ? leaveRounds(group, in: queue, transaction) : enterRounds(group, in: queue, transaction)
        }
    }

    /// Nobody counted so far: the tasks in hand are looked up.
    private mutating func countGroups(
        of queue: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for sequence in leases.tasks(of: queue) {
            do throws(StorageError) {
                guard var lease = leases[sequence], let task = try task(sequence, transaction) else { continue }
                lease.group = boundedGroup(task)
                replaceLease(sequence, lease)
            } catch {
                guard error.kind == .damaged else { throw error }
            }
        }
    }

    /// The first task of a range that is due and whose group has a slot, while not all stand in lines yet. It looks at
    /// so many; what is behind them is handed out when all do.
    func openHead<A>(
        _ queue: UInt32, _ range: WaitingRange, _ limits: UInt16, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Candidate? {
        let prefix = WaitingKey.prefix(queue: queue, range: range, limits: limits)
        var from = prefix
        for _ in 0..<Self.stepsOver {
            guard let first = try transaction.first(Tables.waiting, from: from, prefix: prefix) else { return nil }
            var key = WaitingKey(first.key)
            guard key.due <= now else { return nil }
            if try !isFull(group(of: key.sequence, transaction), in: queue) { return Candidate(key, first.flags) }
            key.sequence += 1
            from = key.bytes
        }
        return nil
    }

    /// Of a task that cannot be read: none.
    private func group<A>(
        of sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> UInt64 {
        do throws(StorageError) {
            return groupHash(try task(sequence, transaction))
        } catch {
            guard error.kind == .damaged else { throw error }
            return 0
        }
    }
}

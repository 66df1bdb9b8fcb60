import MartletProtocol
import MartletStorage

/// The groups of a queue stand in rounds: FAIR and GROUPCONCURRENCY.
extension Engine {
    /// What stands for a task's group in keys; 0: it has none. Tasks without a group are a group of their own.
    func groupHash(_ task: TaskRecord?) -> UInt64 {
        task?.group.map { max(1, StableHash.hash($0, seed: broker.secret)) } ?? 0
    }

    /// A task comes to wait: it stands in the line of its group.
    mutating func enterLine(
        _ key: WaitingKey, group: UInt64, isDue: Bool, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.put(Tables.lines, LineKey.bytes(key, group: group), flags: isDue ? LineKey.due : 0)
        try place(group, in: queue(key.queue).round(of: key), due: isDue ? 1 : 0, transaction)
    }

    /// A task that stands in a line was SCHEDULED, and is due now.
    mutating func comeDueInLine(
        _ key: WaitingKey, group: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.put(Tables.lines, LineKey.bytes(key, group: group), flags: LineKey.due)
        try place(group, in: queue(key.queue).round(of: key), due: 1, transaction)
    }

    /// A task leaves its line; with `served`, because it is handed out: then its group goes behind the others.
    mutating func leaveLine(
        _ key: WaitingKey, group: UInt64, isDue: Bool, served: Stamp?, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.delete(Tables.lines, LineKey.bytes(key, group: group))
        try place(group, in: queue(key.queue).round(of: key), served: served, due: isDue ? -1 : 0, transaction)
    }

    /// Puts a group where it belongs in a round, unless its slots are taken; one without tasks is forgotten. `due`: how
    /// many more of its tasks are due.
    private mutating func place(
        _ group: UInt64, in round: Round, served: Stamp? = nil, due: Int64,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let place = round.key(group)
        let before = try transaction.read(Tables.groups, place) { GroupTurn(from: &$0) }
        let after = try LineKey.first(group, in: round, transaction).map {
            GroupTurn(served: served ?? before?.served ?? .none, first: Stamp(due: $0), due: (before?.due ?? 0) + due)
        }
        guard after != before else { return }
        if let after {
            try transaction.put(Tables.groups, place) { after.write(to: &$0) }
        } else {
            try transaction.delete(Tables.groups, place)
        }
        guard !isFull(group, in: round.queue) else {
            if due != 0 { change(round.queue) { $0.dueCounts.count(round.limits, full: due) } }
            return
        }
        guard after?.turn != before?.turn else { return }
        if let before { try transaction.delete(Tables.turns, before.key(in: round, group)) }
        if let after { try transaction.put(Tables.turns, after.key(in: round, group), flags: 0) }
    }
}

/// Whose turn it is.
extension Engine {
    /// The task that a queue whose groups take turns would hand out next.
    mutating func fairCandidate(
        _ queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        guard let aging = queues[Int(queue) - 1].settings.options.aging else {
            for priority in stride(from: 10, through: 1, by: -1) {
                if let chosen = try turn(queue, priority, now, transaction) { return chosen }
            }
            return nil
        }
        // The priority whose oldest task has risen highest; the next one where no group of it has a slot.
        while true {
            let heads = try risen(queue, aging, now, transaction)
            guard let highest = heads.first else { return nil }
            if timerBound <= now, try expire([highest], now, transaction) { continue }
            for head in heads {
                guard var chosen = try turn(queue, head.key.range.priority, now, transaction) else { continue }
                chosen.rise(by: aging, now)
                return chosen
            }
            return nil
        }
    }

    /// The heads of all ranges, the one that has risen highest first.
    private mutating func risen(
        _ queue: UInt32, _ aging: Milliseconds, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> [Candidate] {
        var heads: [Candidate] = []
        for index in 0..<WaitingRange.count {
            let range = WaitingRange(index: index)
            for limits in [0] + limitLines.sets(of: queue, range) {
                guard var head = try firstOf(queue, range, limits, now, transaction) else { continue }
                head.rise(by: aging, now)
                heads.append(head)
            }
        }
        return heads.sorted { $0.precedes($1) }
    }

    /// The task of the group whose turn it is within a priority.
    private mutating func turn(
        _ queue: UInt32, _ priority: Int, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        let round = Round(queue: queue, limits: 0, priority: priority)
        guard queues[Int(queue) - 1].occupied.has(priority: priority) else { return nil }
        while true {
            let heads =
                limitLines.has(queue)
                ? try payableTurn(round, now, transaction) : try headsInTurn(of: round, now, transaction)
            guard heads.count == 2 else { return heads.first }
            if let chosen = try contest(heads[0], heads[1], now, transaction) { return chosen }
        }
    }

    /// The tasks that are due at the heads of the lanes of the group whose turn it is in a round.
    mutating func headsInTurn(
        of round: Round, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> [Candidate] {
        while let first = try transaction.first(Tables.turns, from: round.prefix, prefix: round.prefix) {
            let (_, at, group) = GroupTurn.readTurn(first.key)
            guard at.at <= now else { return [] }
            var heads: [Candidate] = []
            for range in round.ranges {
                if let head = try lineHead(round, range, group, now, transaction) { heads.append(head) }
            }
            if !heads.isEmpty { return heads }
            // What was due could not be read, and left its line. Otherwise the group is in a wrong place.
            guard try transaction.delete(Tables.turns, first.key) else { continue }
            let known = try transaction.take(Tables.groups, round.key(group)) { GroupTurn(from: &$0) }
            try place(group, in: round, due: known?.due ?? 0, transaction)
        }
        return []
    }

    /// The same without a change: what cannot be read is not seen.
    func headsNow<A>(
        of round: Round, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [Candidate] {
        guard let first = try transaction.first(Tables.turns, from: round.prefix, prefix: round.prefix) else {
            return []
        }
        let group = GroupTurn.readTurn(first.key).group
        var heads: [Candidate] = []
        for range in round.ranges {
            let prefix = LineKey.prefix(queue: round.queue, range: range, limits: round.limits, group: group)
            guard let place = try transaction.first(Tables.lines, from: prefix, prefix: prefix) else { continue }
            let key = LineKey.read(place.key).key
            guard key.due <= now,
                let entry = try transaction.first(Tables.waiting, from: key.bytes, prefix: key.bytes)
            else { continue }
            heads.append(Candidate(key, entry.flags))
        }
        return heads
    }

    /// The first task of a group's lane if it is due. A task that was put aside since leaves its line here.
    private mutating func lineHead(
        _ round: Round, _ range: WaitingRange, _ group: UInt64, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        let prefix = LineKey.prefix(queue: round.queue, range: range, limits: round.limits, group: group)
        while let first = try transaction.first(Tables.lines, from: prefix, prefix: prefix) {
            let key = LineKey.read(first.key).key
            guard key.due <= now else { return nil }
            let entry = try transaction.first(Tables.waiting, from: key.bytes, prefix: key.bytes)
            if let entry { return Candidate(key, entry.flags) }
            try leaveLine(
                key, group: group, isDue: first.flags & LineKey.due != 0, served: nil, transaction)
        }
        return nil
    }
}

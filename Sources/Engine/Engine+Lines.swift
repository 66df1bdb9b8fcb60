import MartletProtocol
import MartletStorage

/// FAIR: the groups of a queue take turns within a priority.
extension Engine {
    /// What stands for a task's group in keys; 0: it has none. Tasks without a group are a group of their own.
    func groupHash(_ task: TaskRecord?) -> UInt64 {
        task?.group.map { max(1, StableHash.hash($0, seed: broker.secret)) } ?? 0
    }

    /// A task comes to wait: it stands in the line of its group.
    func enterLine(
        _ key: WaitingKey, group: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.put(Tables.lines, LineKey.bytes(key, group: group), flags: 0)
        try place(group, of: key, served: nil, transaction)
    }

    /// A task leaves its line; with `served`, because it is handed out: then its group goes behind the others.
    func leaveLine(
        _ key: WaitingKey, group: UInt64, served: Stamp?, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.delete(Tables.lines, LineKey.bytes(key, group: group))
        try place(group, of: key, served: served, transaction)
    }

    /// Puts a group where it belongs in the round of a task's priority; a group without tasks is forgotten.
    private func place(
        _ group: UInt64, of key: WaitingKey, served: Stamp?, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let (queue, priority) = (key.queue, key.range.priority)
        let place = GroupTurn.key(queue: queue, priority: priority, group: group)
        let before = try transaction.read(Tables.groups, place) { GroupTurn(from: &$0) }
        guard let first = try LineKey.first(queue, priority, group, transaction) else {
            guard let before else { return }
            try transaction.delete(Tables.turns, before.turnKey(queue: queue, priority: priority, group: group))
            try transaction.delete(Tables.groups, place)
            return
        }
        let after = GroupTurn(served: served ?? before?.served ?? .none, first: Stamp(due: first))
        guard after != before else { return }
        try transaction.put(Tables.groups, place) { after.write(to: &$0) }
        guard after.turn != before?.turn else { return }
        if let before {
            try transaction.delete(Tables.turns, before.turnKey(queue: queue, priority: priority, group: group))
        }
        try transaction.put(Tables.turns, after.turnKey(queue: queue, priority: priority, group: group), flags: 0)
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
        // The priority whose oldest task has risen highest.
        while let highest = try highest(queue, aging, now, transaction) {
            if timerBound <= now, try expire([highest], now, transaction) { continue }
            guard var chosen = try turn(queue, highest.key.range.priority, now, transaction) else { return nil }
            chosen.rise(by: aging, now)
            return chosen
        }
        return nil
    }

    private mutating func highest(
        _ queue: UInt32, _ aging: Milliseconds, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        var highest: Candidate?
        for index in 0..<WaitingRange.count {
            guard var head = try head(queue, WaitingRange(index: index), now, transaction) else { continue }
            head.rise(by: aging, now)
            if highest.map(head.precedes) ?? true { highest = head }
        }
        return highest
    }

    /// The task of the group whose turn it is within a priority.
    private mutating func turn(
        _ queue: UInt32, _ priority: Int, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        let fresh = WaitingRange(priority: priority, lane: .fresh)
        let retry = WaitingRange(priority: priority, lane: .retry)
        let waiting = queues[Int(queue) - 1].waiting
        guard waiting[fresh.index] > 0 || waiting[retry.index] > 0 else { return nil }
        let prefix = GroupTurn.prefix(queue: queue, priority: priority)
        while let first = try transaction.first(Tables.turns, from: prefix, prefix: prefix) {
            let (_, _, at, group) = GroupTurn.readTurn(first.key)
            guard at <= now else { return nil }
            let freshHead = try lineHead(queue, fresh, group, now, transaction)
            let retryHead = try lineHead(queue, retry, group, now, transaction)
            if let freshHead, let retryHead {
                if let chosen = try contest(freshHead, retryHead, now, transaction) { return chosen }
            } else if let only = freshHead ?? retryHead {
                return only
            } else {
                // What was due could not be read: the group goes where it belongs without it.
                try transaction.delete(Tables.turns, first.key)
                try transaction.delete(
                    Tables.groups, GroupTurn.key(queue: queue, priority: priority, group: group))
                let anywhere = WaitingKey(queue: queue, range: fresh, due: 0, sequence: 0)
                try place(group, of: anywhere, served: nil, transaction)
            }
        }
        return nil
    }

    /// The same without a change: what cannot be read is not seen.
    func nextInTurn<A>(
        _ queue: UInt32, _ priority: Int, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Candidate? {
        let round = GroupTurn.prefix(queue: queue, priority: priority)
        guard let first = try transaction.first(Tables.turns, from: round, prefix: round) else { return nil }
        let group = GroupTurn.readTurn(first.key).group
        var heads: [Candidate] = []
        for lane in [Lane.fresh, .retry] {
            let range = WaitingRange(priority: priority, lane: lane)
            let prefix = LineKey.prefix(queue: queue, range: range, group: group)
            guard let place = try transaction.first(Tables.lines, from: prefix, prefix: prefix) else { continue }
            let key = LineKey.read(place.key).key
            guard key.due <= now,
                let entry = try transaction.first(Tables.waiting, from: key.bytes, prefix: key.bytes)
            else { continue }
            heads.append(Candidate(key, entry.flags))
        }
        guard heads.count == 2 else { return heads.first }
        let state = self.queue(queue)
        return Self.retryTurn(state.contested[priority - 1] + 1, share: Int64(state.retryShare)) ? heads[1] : heads[0]
    }

    /// The first task of a group's lane if it is due. A task that was put aside since leaves its line here.
    private func lineHead(
        _ queue: UInt32, _ range: WaitingRange, _ group: UInt64, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        let prefix = LineKey.prefix(queue: queue, range: range, group: group)
        while let first = try transaction.first(Tables.lines, from: prefix, prefix: prefix) {
            let key = LineKey.read(first.key).key
            guard key.due <= now else { return nil }
            let entry = try transaction.first(Tables.waiting, from: key.bytes, prefix: key.bytes)
            if let entry { return Candidate(key, entry.flags) }
            try transaction.delete(Tables.lines, first.key)
        }
        return nil
    }
}

import MartletProtocol
import MartletStorage

/// The task a queue would hand out next.
struct Candidate {
    var key: WaitingKey
    var flags: UInt8
    /// Its own, or the one it has risen to.
    var priority: Int
    /// The priority, if both of its lanes had a due task.
    var contested: Int?

    init(_ key: WaitingKey, _ flags: UInt8) {
        (self.key, self.flags, priority) = (key, flags, key.range.priority)
    }

    /// Waiting raises the priority, to 10 at most.
    mutating func rise(by aging: Milliseconds, _ now: Timestamp) {
        priority = Int(min(10, Int64(key.range.priority) + (now - key.due) / aging))
    }

    /// Priority, then due time, then id.
    func precedes(_ other: Candidate) -> Bool {
        if priority != other.priority { return priority > other.priority }
        return key.due != other.key.due ? key.due < other.key.due : key.sequence < other.key.sequence
    }
}

extension Engine {
    /// Looks at the heads of at most 2 × 10 ranges; empty ones, and those known to hold nothing due, are skipped.
    mutating func candidate(
        _ queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        let index = Int(queue) - 1
        if !shortage.isEmpty { shortage.removeAll(keepingCapacity: true) }
        guard queues[index].pause.handingOut <= now, queues[index].hasSlot else { return nil }
        if queues[index].settings.isGated, let gate = gate(of: queue, now) {
            heldBack.append((gate, queue))
            return nil
        }
        if queues[index].lining == .full, queues[index].rounds == .turns {
            return try fairCandidate(queue, now, transaction)
        }
        if let aging = queues[index].settings.options.aging {
            return try candidate(queue, aging: aging, now, transaction)
        }
        var priority = 10
        while priority >= 1 {
            guard queues[index].occupied.has(priority: priority) else {
                priority -= 1
                continue
            }
            let fresh = try head(queue, .init(priority: priority, lane: .fresh), now, transaction)
            let retry = try head(queue, .init(priority: priority, lane: .retry), now, transaction)
            guard let fresh, let retry else {
                if let only = fresh ?? retry { return only }
                priority -= 1
                continue
            }
            if let chosen = try contest(fresh, retry, now, transaction) { return chosen }
        }
        return nil
    }

    /// The same where waiting raises the priority. In each range the head has risen highest, so the heads are enough.
    private mutating func candidate(
        _ queue: UInt32, aging: Milliseconds, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        while true {
            var (fresh, retry): (Candidate?, Candidate?) = (nil, nil)
            for index in 0..<WaitingRange.count {
                let range = WaitingRange(index: index)
                guard var head = try head(queue, range, now, transaction) else { continue }
                head.rise(by: aging, now)
                if range.lane == .fresh, fresh.map(head.precedes) ?? true { fresh = head }
                if range.lane == .retry, retry.map(head.precedes) ?? true { retry = head }
            }
            guard let fresh, let retry, fresh.priority == retry.priority else {
                guard let fresh, let retry else { return fresh ?? retry }
                return fresh.priority > retry.priority ? fresh : retry
            }
            if let chosen = try contest(fresh, retry, now, transaction) { return chosen }
        }
    }

    /// RETRYSHARE decides between the heads of two lanes; `nil`: one of them has gone, look again.
    mutating func contest(
        _ fresh: Candidate, _ retry: Candidate, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        // A head whose time to live is over competes no more, although the bookkeeping has not come to it.
        if timerBound <= now, try expire([fresh, retry], now, transaction) { return nil }
        let state = self.queue(fresh.key.queue)
        let turn = state.contested[fresh.priority - 1] + 1
        var chosen = Self.retryTurn(turn, share: Int64(state.retryShare)) ? retry : fresh
        chosen.contested = fresh.priority
        return chosen
    }

    /// Ends those of the tasks whose time to live is over; whether there were any.
    mutating func expire(
        _ heads: [Candidate], _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        var any = false
        for head in heads {
            guard let task = try task(head.key.sequence, transaction),
                let expiresAt = try expiry(of: head, task, by: now, transaction)
            else { continue }
            try expireWaiting(head.key, head.flags, at: expiresAt, now, transaction)
            any = true
        }
        return any
    }

    /// When the time to live of a task that waits was over; `nil`: it is not.
    func expiry<A>(
        of head: Candidate, _ task: TaskRecord, by now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Timestamp? {
        let hasState = head.flags & WaitingKey.Flag.state != 0
        return try expiry(of: head.key.sequence, task, hasState: hasState, transaction).flatMap { $0 <= now ? $0 : nil }
    }

    /// Whether contested hand-out `turn` (from 1) goes to the retry lane: iff ⌊turn·share/100⌋ > ⌊(turn−1)·share/100⌋.
    static func retryTurn(_ turn: Int64, share: Int64) -> Bool {
        turn * share / 100 > (turn - 1) * share / 100
    }

    /// The task of a range that comes first of those that are due and may be handed out.
    mutating func head(
        _ queue: UInt32, _ range: WaitingRange, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        let free = try head(queue, range, 0, now, transaction)
        return limitLines.has(queue) ? try payableHead(queue, range, or: free, now, transaction) : free
    }

    /// The first one of those that need the same limits; where groups have slots, of a group that has one left.
    mutating func head(
        _ queue: UInt32, _ range: WaitingRange, _ limits: UInt16, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        guard let first = try firstOf(queue, range, limits, now, transaction) else { return nil }
        guard queues[Int(queue) - 1].settings.boundsGroups else { return first }
        guard queues[Int(queue) - 1].lining == .full else {
            return try openHead(queue, range, limits, now, transaction)
        }
        return try headsInTurn(of: Round(queue: queue, limits: limits, range: range), now, transaction).first
    }

    /// The same, be its group's slots taken.
    mutating func firstOf(
        _ queue: UInt32, _ range: WaitingRange, _ limits: UInt16, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        guard queues[Int(queue) - 1].occupied.has(range), limits > 0 || dueBounds[queue, range] <= now else {
            return nil
        }
        let prefix = WaitingKey.prefix(queue: queue, range: range, limits: limits)
        guard let first = try transaction.first(Tables.waiting, from: prefix, prefix: prefix) else {
            if limits == 0 { dueBounds[queue, range] = .max } else { forgetLine(queue, range, limits) }
            return nil
        }
        let key = WaitingKey(first.key)
        if limits == 0 { dueBounds[queue, range] = key.due }
        return key.due <= now ? Candidate(key, first.flags) : nil
    }
}

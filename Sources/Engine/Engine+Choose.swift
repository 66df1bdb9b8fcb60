import MartletProtocol
import MartletStorage

/// The task a queue would hand out next.
struct Candidate {
    var key: WaitingKey
    var flags: UInt8
    /// Both lanes of its priority had a due task.
    var isContested: Bool

    /// Priority, then due time, then id.
    func precedes(_ other: Candidate) -> Bool {
        let mine = key.range.priority
        let theirs = other.key.range.priority
        if mine != theirs { return mine > theirs }
        return key.due != other.key.due ? key.due < other.key.due : key.sequence < other.key.sequence
    }
}

extension Engine {
    /// The task to be handed out next from any of the queues (STRICT: the same rule across queues).
    mutating func candidate(
        _ queues: [UInt32], _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        var best: Candidate?
        for queue in queues {
            guard let candidate = try candidate(queue, now, transaction) else { continue }
            if best.map(candidate.precedes) ?? true { best = candidate }
        }
        return best
    }

    /// Looks at the heads of at most 2 × 10 ranges; empty ones, and those known to hold nothing due, are skipped.
    private mutating func candidate(
        _ queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        guard queues[Int(queue) - 1].pause.handingOut <= now else { return nil }
        var priority = 10
        while priority >= 1 {
            let fresh = try head(queue, .init(priority: priority, lane: .fresh), now, transaction)
            let retry = try head(queue, .init(priority: priority, lane: .retry), now, transaction)
            guard let fresh, let retry else {
                if let only = fresh ?? retry { return only }
                priority -= 1
                continue
            }
            // A head whose time to live is over competes no more, although the bookkeeping has not come to it.
            if timerBound <= now, try expire([fresh, retry], now, transaction) { continue }
            let state = self.queue(queue)
            let turn = state.contested[priority - 1] + 1
            var chosen = Self.retryTurn(turn, share: Int64(state.retryShare)) ? retry : fresh
            chosen.isContested = true
            return chosen
        }
        return nil
    }

    /// Ends those of the tasks whose time to live is over; whether there were any.
    mutating func expire(
        _ heads: [Candidate], _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        var any = false
        for head in heads {
            let hasState = head.flags & WaitingKey.Flag.state != 0
            guard let task = try task(head.key.sequence, transaction),
                let expiresAt = try expiry(of: head.key.sequence, task, hasState: hasState, transaction),
                expiresAt <= now
            else { continue }
            try expireWaiting(head.key, head.flags, at: expiresAt, now, transaction)
            any = true
        }
        return any
    }

    /// Whether contested hand-out `turn` (from 1) goes to the retry lane: iff ⌊turn·share/100⌋ > ⌊(turn−1)·share/100⌋.
    static func retryTurn(_ turn: Int64, share: Int64) -> Bool {
        turn * share / 100 > (turn - 1) * share / 100
    }

    /// The first task of a range if it is due.
    private mutating func head(
        _ queue: UInt32, _ range: WaitingRange, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        let index = Int(queue) - 1
        guard queues[index].waiting[range.index] > 0, queues[index].dueBound[range.index] <= now else { return nil }
        let prefix = WaitingKey.prefix(queue: queue, range: range)
        guard let first = try transaction.first(Tables.waiting, from: prefix, prefix: prefix) else {
            queues[index].dueBound[range.index] = .max
            return nil
        }
        let key = WaitingKey(first.key)
        queues[index].dueBound[range.index] = key.due
        return key.due <= now ? Candidate(key: key, flags: first.flags, isContested: false) : nil
    }
}

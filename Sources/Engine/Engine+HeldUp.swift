import MartletProtocol
import MartletStorage

/// The lines of limits that a look has found open or closed.
struct LineLook {
    /// By queue and limits: whether the line is closed.
    fileprivate var known: [UInt64: Bool] = [:]
}

/// BLOCKED by its own LIMIT or by the slots of its GROUP: a due task stands in its line all the same, and whoever looks
/// is told BLOCKED while its group has no slot, or while the first of the tasks that need the same limits lacks tokens.
/// Nothing is written when that changes, however many tasks it concerns.
extension Engine {
    /// What of its own holds a due task up.
    enum HoldUp {
        case group
        /// The limit that the first task of its line waits for, and how many tokens that needs.
        case limit(UInt32, Int64)
    }

    /// `nil`: nothing of its own holds the due task up.
    func holdUp<A>(
        of task: TaskRecord, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> HoldUp? {
        if isFull(task) { return .group }
        guard let limits = task.limits?.set else { return nil }
        return try holdUp(ofLine: limits, task.queue, now, transaction)
    }

    /// The same, where many are asked about.
    func isHeldUp<A>(
        _ task: TaskRecord, _ look: inout LineLook, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool {
        if isFull(task) { return true }
        guard let limits = task.limits?.set else { return false }
        return try isClosed(limits, task.queue, &look, now, transaction)
    }

    /// A task has come to `state`: as GET tells it.
    mutating func shown(
        _ state: TaskState, _ sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> TaskState {
        guard state == .pending else { return state }
        try settleLine(of: sequence, now, transaction)
        guard let task = try task(sequence, transaction) else { return state }
        return try holdUp(of: task, now, transaction) == nil ? .pending : .blocked
    }

    /// Whether the tasks of a queue that need these limits wait for tokens.
    func isClosed<A>(
        _ limits: UInt16, _ queue: UInt32, _ look: inout LineLook, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool {
        guard limits > 0 else { return false }
        let place = UInt64(queue) << 16 | UInt64(limits)
        if let known = look.known[place] { return known }
        let isClosed = try holdUp(ofLine: limits, queue, now, transaction) != nil
        look.known[place] = isClosed
        return isClosed
    }

    /// How many due tasks of a queue are held up.
    func heldUp<A>(
        in queue: QueueState, _ look: inout LineLook, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Int64 {
        var count: Int64 = 0
        for line in queue.dueCounts.lines {
            count += try isClosed(line.limits, queue.id, &look, now, transaction) ? line.due : line.full
        }
        return count
    }

    /// How many tasks of a queue are in a state, as GET tells it.
    func shown<A>(
        _ state: TaskState, of queue: QueueState, _ look: inout LineLook, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Int64 {
        switch state {
        case .pending: queue[.pending] - (try heldUp(in: queue, &look, now, transaction))
        case .blocked: queue[.blocked] + (try heldUp(in: queue, &look, now, transaction))
        default: queue[state]
        }
    }

    /// Whether a task that waits is of a group without a slot; of one that cannot be read nobody knows.
    func isOfFullGroup<A>(
        _ key: WaitingKey, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool {
        guard queue(key.queue).settings.boundsGroups else { return false }
        do throws(StorageError) {
            return try task(key.sequence, transaction).map(isFull) ?? false
        } catch {
            guard error.kind == .damaged else { throw error }
            return false
        }
    }

    private func isFull(_ task: TaskRecord) -> Bool {
        queue(task.queue).settings.boundsGroups && isFull(groupHash(task), in: task.queue)
    }

    func holdUp<A>(
        ofLine limits: UInt16, _ queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> HoldUp? {
        var shortage: Set<UInt32> = []
        guard let head = try first(ofLine: limits, queue, now, transaction),
            case .limit(let number, let cost)? = try canPay(head, &shortage, transaction, now)
        else { return nil }
        return .limit(number, cost)
    }

    /// The task of a line that hand-outs would try first: of the highest priority, be it fresh or a retry; where groups
    /// take turns, of the group whose turn it is there.
    func first<A>(
        ofLine limits: UInt16, _ queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Candidate? {
        let state = self.queue(queue)
        var heads: [Candidate] = []
        for range in limitLines.ranges(of: queue, limits) {
            guard var head = try nextHead(of: queue, range, limits, now, transaction) else { continue }
            guard state.takesTurns else { return head }
            if let aging = state.options.aging { head.rise(by: aging, now) }
            heads.append(head)
        }
        for head in heads.sorted(by: { $0.precedes($1) }) {
            let round = Round(queue: queue, limits: limits, priority: head.key.range.priority)
            if let first = try headsNow(of: round, now, transaction).first { return first }
        }
        return nil
    }

    /// What is due and may hold a task up happens first: leases that ended free slots, and heads of its line whose time
    /// to live is over end, although the bookkeeping has not come to them.
    mutating func settleLine(
        of sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard isBehind(at: now) else { return }
        var task: TaskRecord?
        do throws(StorageError) { task = try self.task(sequence, transaction) } catch {
            guard error.kind == .damaged else { throw error }
        }
        guard let task, task.limits != nil || boundedGroup(task) != nil else { return }
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        if let limits = task.limits?.set { try expireHeads(ofLine: limits, task.queue, now, transaction) }
    }

    /// What is due for one task, and may hold it up, happens before it is told of.
    mutating func settleToTell(
        _ sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try settle(sequence, now, transaction)
        try settleLine(of: sequence, now, transaction)
    }

    /// The same of all lines of a queue.
    mutating func settleLines(
        of queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard isBehind(at: now), limitLines.has(queue) || queues[Int(queue) - 1].settings.boundsGroups else { return }
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        for limits in limitLines.sets(of: queue) { try expireHeads(ofLine: limits, queue, now, transaction) }
    }

    private mutating func expireHeads(
        ofLine limits: UInt16, _ queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard timerBound <= now else { return }
        for _ in 0..<Self.settleLimit {
            guard let head = try first(ofLine: limits, queue, now, transaction), try expire([head], now, transaction)
            else { return }
        }
    }

    /// Groups without a slot that a list looks at one by one; where there are more it looks at all due tasks.
    private static let groupsListed = 1_000

    /// The indexes that hold what is held up, and as little else as can be.
    func heldUpSources<A>(
        _ queue: QueueState, _ look: inout LineLook, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [ListSource] {
        var sources: [ListSource] = []
        let full = fullGroups(of: queue)
        for index in 0..<WaitingRange.count where queue.waiting[index] > 0 {
            let range = WaitingRange(index: index)
            for limits in [0] + limitLines.sets(of: queue.id, range) {
                if try isClosed(limits, queue.id, &look, now, transaction) {
                    sources.append(.due(queue.id, range, limits, by: now))
                } else if queue.lining != .full || full.count > Self.groupsListed {
                    if !full.isEmpty { sources.append(.due(queue.id, range, limits, by: now)) }
                } else {
                    sources += full.map { .line(queue.id, range, limits, group: $0, by: now) }
                }
            }
        }
        return sources
    }

    private func fullGroups(of queue: QueueState) -> [UInt64] {
        guard let most = queue.options.groupConcurrency else { return [] }
        return leases.groups(of: queue.id).filter { $0.value >= most }.keys.sorted()
    }
}

public import MartletProtocol
public import MartletStorage

/// A task in a list that is ordered by a number.
public struct ScoredTask: Hashable, Sendable {
    public var id: TaskID
    public var score: Int64

    init(_ id: TaskID, _ score: Int64) {
        self.id = id
        self.score = score
    }
}

/// Lists of a queue's tasks as an inspector reads them, from position `skip` on, at most `count`. A queue that is not
/// there lists as empty.
extension Engine {
    /// Ten to the thirteenth: above every due time in milliseconds until the year 2286.
    private static let priorityStep: Int64 = 10_000_000_000_000
    /// Entries of a range that may be passed over because their groups have no slot: what is behind them is not seen.
    private static let passedOver = 10_000

    /// PENDING tasks in the order of hand-out (lanes merged): score (10 − priority)·10¹³ + due.
    public func pendingTasks<A>(
        queue: Bytes, skip: Int, count: Int, now: Timestamp, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [ScoredTask] {
        guard let number = queueNumbers[queue] else { return [] }
        let wanted = skip + count
        var tasks: [ScoredTask] = []
        for priority in stride(from: 10, through: 1, by: -1) where tasks.count < wanted {
            let keys = try merged([priority], number, upTo: now, limit: wanted - tasks.count, transaction)
            tasks += keys.map { ScoredTask(broker.id($0.sequence), Int64(10 - priority) * Self.priorityStep + $0.due) }
        }
        return Array(tasks.dropFirst(skip).prefix(count))
    }

    /// Tasks that are not yet due, the next first: score = due.
    public func scheduledTasks<A>(
        queue: Bytes, skip: Int, count: Int, now: Timestamp, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [ScoredTask] {
        guard let number = queueNumbers[queue] else { return [] }
        let keys = try merged(Array(1...10), number, after: now, limit: skip + count, transaction)
        return keys.dropFirst(skip).map { ScoredTask(broker.id($0.sequence), $0.due) }
    }

    /// Leased tasks, the next to run out first: score = deadline.
    public func activeTasks(queue: Bytes, skip: Int, count: Int) -> [ScoredTask] {
        guard let number = queueNumbers[queue] else { return [] }
        var tasks: [ScoredTask] = []
        leases.deadlines.forEach { entry in
            if leases[entry.id]?.queue == number { tasks.append(ScoredTask(broker.id(entry.id), entry.at)) }
            return tasks.count < skip + count
        }
        return Array(tasks.dropFirst(skip))
    }

    /// Ended tasks of a state, oldest first: score = when they ended.
    public func endedTasks<A>(
        queue: Bytes, state: TaskState, skip: Int, count: Int, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [ScoredTask] {
        guard let number = queueNumbers[queue], count > 0 else { return [] }
        let prefix = EndedKey.prefix(queue: number, state: state)
        var tasks: [ScoredTask] = []
        var seen = 0
        try transaction.scan(Tables.ended, from: prefix, prefix: prefix) { (bytes, _) throws(StorageError) -> Bool in
            seen += 1
            if seen > skip, let key = EndedKey(bytes) { tasks.append(ScoredTask(broker.id(key.sequence), key.at)) }
            return tasks.count < count
        }
        return tasks
    }

    /// All task ids from a position on, oldest first, for a scan that resumes. `next` is `nil` at the end.
    public func taskIDs<A>(
        from sequence: UInt64, limit: Int, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> (ids: [TaskID], next: UInt64?) {
        var found: [UInt64] = []
        let all = KeyBytes()
        try transaction.scan(Tables.tasks, from: taskKey(sequence), prefix: all) {
            (key, _) throws(StorageError) -> Bool in
            var reader = key.reader
            found.append(reader.next())
            return found.count <= limit
        }
        let ids = found.prefix(limit).map(broker.id)
        return (ids, found.count > limit ? found[limit] : nil)
    }

    /// The names of all queues, in the order in which they appeared.
    public var queueNames: [Bytes] { queues.map(\.name).filter { !$0.isEmpty } }

    /// How many tasks of all queues are in a state now. Kept, never counted.
    public func count<A>(
        of state: TaskState, now: Timestamp, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Int64 {
        var look = LineLook()
        var count: Int64 = 0
        for queue in queues { count += try shown(state, of: queue, &look, now, transaction) }
        return count
    }

    /// The entries of some priorities, both lanes, by due time: the part up to an instant, without those that are held
    /// up, or the part after an instant.
    private func merged<A>(
        _ priorities: [Int], _ queue: UInt32, upTo: Timestamp = .max, after: Timestamp = .min, limit: Int,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [WaitingKey] {
        var keys: [WaitingKey] = []
        var look = LineLook()
        let state = self.queue(queue)
        for priority in priorities {
            for lane in [Lane.fresh, .retry] {
                let range = WaitingRange(priority: priority, lane: lane)
                guard state.waiting[range.index] > 0 else { continue }
                for limits in [0] + limitLines.sets(of: queue, range) {
                    if upTo < .max, try isClosed(limits, queue, &look, upTo, transaction) { continue }
                    keys += try entries(queue, range, limits, upTo: upTo, after: after, limit: limit, transaction)
                }
            }
        }
        keys.sort { ($0.due, $0.sequence) < ($1.due, $1.sequence) }
        return Array(keys.prefix(limit))
    }

    private func entries<A>(
        _ queue: UInt32, _ range: WaitingRange, _ limits: UInt16, upTo: Timestamp, after: Timestamp, limit: Int,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [WaitingKey] {
        guard limit > 0 else { return [] }
        let mayBeFull = upTo < .max && self.queue(queue).settings.boundsGroups
        let prefix = WaitingKey.prefix(queue: queue, range: range, limits: limits)
        var from = prefix
        if after > .min {
            from = WaitingKey(queue: queue, range: range, limits: limits, due: after, sequence: .max).bytes
        }
        var found: [WaitingKey] = []
        try transaction.scan(Tables.waiting, from: from, prefix: prefix) { (bytes, _) throws(StorageError) -> Bool in
            let key = WaitingKey(bytes)
            guard key.due <= upTo else { return false }
            found.append(key)
            return found.count < (mayBeFull ? limit + Self.passedOver : limit)
        }
        guard mayBeFull else { return found }
        var keys: [WaitingKey] = []
        for key in found where keys.count < limit {
            if try !isOfFullGroup(key, transaction) { keys.append(key) }
        }
        return keys
    }
}

import MartletProtocol
import MartletStorage

/// The tasks of a queue with one ORDER key whose lives are not over, by id.
///
///     queue u32 │ hash of the key u64 │ sequence u64
///
/// The hash is keyed by the directory's secret: nobody outside can make keys meet, and two that meet nevertheless wait
/// for each other.
struct OrderPlace: Hashable {
    var queue: UInt32
    var hash: UInt64

    var prefix: KeyBytes {
        var key = queueKey(queue)
        key.append(hash)
        return key
    }

    func key(_ sequence: UInt64) -> KeyBytes {
        var key = prefix
        key.append(sequence)
        return key
    }

    init(queue: UInt32, hash: UInt64) { (self.queue, self.hash) = (queue, hash) }

    /// Of a key of the table, and whose it is.
    static func read(_ key: KeyBytes) -> (place: OrderPlace, sequence: UInt64) {
        var reader = key.reader
        return (OrderPlace(queue: reader.next(), hash: reader.next()), reader.next())
    }
}

/// ORDER: of the tasks with one key only the first may be handed out, one at a time; the others are parked.
extension Engine {
    /// Tasks of a key that are looked after before another one joins them.
    private static let settledAtOnce = 100

    func orderPlace(_ task: TaskRecord) -> OrderPlace? {
        task.order.map { OrderPlace(queue: task.queue, hash: StableHash.hash($0, seed: broker.secret)) }
    }

    /// The first task of a key, or the first one behind another.
    func firstInOrder<A>(
        _ place: OrderPlace, behind sequence: UInt64 = 0, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> UInt64? {
        let first = try transaction.first(Tables.orders, from: place.key(sequence + 1), prefix: place.prefix)
        return first.map { OrderPlace.read($0.key).sequence }
    }

    /// The task that must end before this one may run: one that is in hand, or that comes before it. `nil`: none.
    func predecessor<A>(
        of sequence: UInt64, in place: OrderPlace, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> UInt64? {
        if let running = leases.running(place), running != sequence { return running }
        guard let first = try firstInOrder(place, transaction), first < sequence else { return nil }
        return first
    }

    /// A new task comes last.
    /// - Returns: whether it has to wait for others.
    mutating func joinOrder(
        _ sequence: UInt64, _ task: TaskRecord, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        guard let place = orderPlace(task) else { return false }
        try settleOrder(place, around: sequence, now, transaction)
        let isBehind = try predecessor(of: sequence, in: place, transaction) != nil
        try transaction.put(Tables.orders, place.key(sequence), flags: 0)
        return isBehind
    }

    /// A task comes back to the order, or from another queue.
    mutating func rejoinOrder(
        _ sequence: UInt64, _ task: TaskRecord, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let place = orderPlace(task) else { return }
        try settleOrder(place, around: sequence, now, transaction)
        try transaction.put(Tables.orders, place.key(sequence), flags: 0)
    }

    /// A task that may run has come to wait: those of its ORDER key that were added after it wait for it.
    mutating func makeWay(
        for sequence: UInt64, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let place = try task(sequence, transaction).flatMap(orderPlace),
            let next = try firstInOrder(place, behind: sequence, transaction),
            let other = try self.task(next, transaction),
            let (key, flags) = try waitingPlace(of: next, other, transaction), key.range.lane != .parked
        else { return }
        var state = try withdraw(key, flags, other, transaction)
        let was = Self.shown(state.state, state, now)
        state.state = count(key.queue, state.state, .block, of: next, type: state.type)
        try park(next, &state, from: was, at: now, transaction)
    }

    /// What is due for those that a task would have to wait for, or that would wait for it, happens first; where the
    /// bookkeeping is far behind the task is parked, and freed when that comes to it.
    private mutating func settleOrder(
        _ place: OrderPlace, around sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard isBehind(at: now) else { return }
        for _ in 0..<Self.settledAtOnce {
            let running = leases.running(place)
            let others = [running, try firstInOrder(place, transaction)]
            for case let other? in others where other != sequence { try settle(other, now, transaction) }
            if try others == [leases.running(place), firstInOrder(place, transaction)] { return }
        }
    }

    /// A task's life is over, or it goes to another queue: the next one of its key may run.
    mutating func leaveOrder(
        _ sequence: UInt64, _ task: TaskRecord?, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let place = task.flatMap(orderPlace) else { return }
        try transaction.delete(Tables.orders, place.key(sequence))
        try freeOrder(place, at: now, transaction)
    }

    /// A task whose record cannot be read leaves the order. Its key is not known: this looks at all of the queue.
    mutating func dropFromOrder(
        _ sequence: UInt64, of queue: UInt32, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard try transaction.count(Tables.orders) > 0 else { return }
        var found: OrderPlace?
        try transaction.scan(Tables.orders, from: queueKey(queue), prefix: queueKey(queue)) { key, _ in
            let entry = OrderPlace.read(key)
            if entry.sequence == sequence { found = entry.place }
            return found == nil
        }
        guard let found else { return }
        try transaction.delete(Tables.orders, found.key(sequence))
        try freeOrder(found, at: now, transaction)
    }

    /// The first task of a key takes its place in the line, unless one is in hand, or it waits for something else.
    private mutating func freeOrder(
        _ place: OrderPlace, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard leases.running(place) == nil else { return }
        while let first = try firstInOrder(place, transaction) {
            do throws(StorageError) {
                if let task = try task(first, transaction) {
                    guard let (key, flags) = try waitingPlace(of: first, task, transaction),
                        key.range.lane == .parked,
                        try dependencies(of: first, transaction)?.open.isEmpty ?? true
                    else { return }
                    return try unpark(key, flags, task, now, transaction)
                }
            } catch {
                guard error.kind == .damaged, error.key != nil else { throw error }
            }
            // Nobody knows what became of it: it must not hold the others for ever.
            try transaction.delete(Tables.orders, place.key(first))
        }
    }

    /// A task that comes to wait is parked if another one of its ORDER key is to run before it.
    mutating func stayBehind(
        _ sequence: UInt64, _ state: StateRecord, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        guard let place = try task(sequence, transaction).flatMap(orderPlace),
            try predecessor(of: sequence, in: place, transaction) != nil
        else { return false }
        var blocked = state
        blocked.state = count(state.queue, state.state, .block, of: sequence, type: state.type)
        try park(sequence, &blocked, from: state.state, at: now, transaction)
        // It may have been in hand, and those before it waited for it.
        try freeOrder(place, at: now, transaction)
        return true
    }

    /// Puts a task that is BLOCKED from now on where no hand-out looks.
    private mutating func park(
        _ sequence: UInt64, _ state: inout StateRecord, from: TaskState, at now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try note(
            HistoryRow(.block, of: state, from: from, to: .blocked, at: now), sequence, &state, transaction)
        _ = try storeParked(sequence, state, transaction)
    }

    func storeParked(
        _ sequence: UInt64, _ state: StateRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> WaitingKey {
        try transaction.put(Tables.states, Phase.waiting.key(sequence)) { state.write(to: &$0) }
        let range = WaitingRange(priority: state.priority, lane: .parked)
        let key = WaitingKey(queue: state.queue, range: range, limits: 0, due: state.runAt, sequence: sequence)
        try transaction.put(Tables.waiting, key.bytes, flags: WaitingKey.Flag.state)
        return key
    }
}

import MartletProtocol
import MartletStorage

/// How to undo what the open group changed in memory.
struct UndoLog {
    enum Change {
        case leaseAdded(UInt64)
        case leaseRemoved(UInt64, Lease)
        case waiterEntered(CallerID)
        indirect case waiterLeft(Waiter)
        case typeAdded
        case workerCounted(Bytes, WorkerCount, Int64)
        /// What was known of it; `nil`: nothing.
        indirect case worker(Bytes, WorkerRecord?)
        /// How it stood; `nil`: it did not wait.
        indirect case watcher(CallerID, Watcher?)
        /// An operation on many tasks, as it was; `nil`: it was not there.
        indirect case operation(UInt64, BulkOperation?)
        /// An entry of the cron table, as it was; `nil`: it was not there.
        indirect case cron(Bytes, CronEntry?)
        case drainEntered(CallerID)
        case drainLeft(Drain)
        case limitSetAdded
        /// A line of those that need the same limits seemed to be empty.
        case lineForgotten(UInt32, WaitingRange, UInt16)
    }

    var changes: [Change] = []
    /// The queues the group changed, as they were.
    var queues: [(number: UInt32, before: QueueState)] = []
    /// How many queues there were.
    var queueCount = 0
    /// The limits the group changed, as they were; `nil`: it was not there.
    var limits: [(number: UInt32, before: LimitState?)] = []
    /// The same of breakers.
    var breakers: [(number: UInt32, before: BreakerState?)] = []
    /// The batches the group changed, as they are now: forgetting them is to undo it.
    var batches: [UInt64: BatchRecord] = [:]
    /// The same of the kinds of dead tasks.
    var kinds: [KindPlace: DeadKind] = [:]
    var broker: BrokerRecord?
    var timerBound: Timestamp?
    var random: SplitMix64?
    var freeQueues: [UInt32] = []
    /// How many moves were told before.
    var told = 0
    /// How long tasks waited and ran.
    var samples: [Activity.Sample] = []
}

extension Engine {
    /// Before the first operation of a group.
    mutating func beginGroup() {
        undoLog.broker = broker
        undoLog.timerBound = timerBound
        undoLog.random = random
        undoLog.queueCount = queues.count
        undoLog.freeQueues = freeQueues
        undoLog.told = events.told.count
        inWave = 0
    }

    /// A queue, to be changed: the way it was is kept, and it is stored when the group closes.
    @inline(__always)
    mutating func change(_ queue: UInt32, _ body: (inout QueueState) -> Void) {
        let index = Int(queue) - 1
        if !queues[index].isChanged {
            undoLog.queues.append((queue, queues[index]))
            queues[index].isChanged = true
        }
        body(&queues[index])
    }

    mutating func addLease(_ sequence: UInt64, _ lease: Lease) {
        leases.insert(sequence, lease)
        undoLog.changes.append(.leaseAdded(sequence))
    }

    @discardableResult
    mutating func removeLease(_ sequence: UInt64) -> Lease? {
        guard let lease = leases.remove(sequence) else { return nil }
        // A slot is free: somebody may have waited for it.
        if queues[Int(lease.queue) - 1].settings.options.concurrency != nil { touched.insert(lease.queue) }
        undoLog.changes.append(.leaseRemoved(sequence, lease))
        return lease
    }

    /// After the last operation: what the group changed of queues, numbers and remembered answers is stored.
    mutating func sealGroup(now: Timestamp, in transaction: borrowing Transaction<Writing>) throws(StorageError) {
        for (number, _) in undoLog.queues {
            let queue = queues[Int(number) - 1]
            try transaction.put(Tables.queues, queueKey(number)) { queue.write(to: &$0) }
        }
        for (number, _) in undoLog.limits {
            guard let limit = limits[number], limit.isChanged else { continue }
            try transaction.put(Tables.limits, queueKey(number)) { limit.write(to: &$0) }
        }
        for (number, _) in undoLog.breakers {
            guard let breaker = breakers[number], breaker.isChanged else { continue }
            try transaction.put(Tables.breakers, queueKey(number)) { breaker.write(to: &$0) }
        }
        for (number, batch) in undoLog.batches {
            try transaction.put(Tables.batches, taskKey(number)) { batch.write(to: &$0) }
        }
        for (place, kind) in undoLog.kinds {
            try transaction.put(Tables.kinds, place.key) { kind.write(to: &$0) }
        }
        if !nonces.open.isEmpty { try storeRequests(now, transaction) }
        try sealMoves(now, transaction)
        if broker != undoLog.broker || !isBrokerStored {
            let broker = broker
            try transaction.put(Tables.queues, queueKey(0), version: BrokerRecord.format) { broker.write(to: &$0) }
        }
    }

    /// The group is durable.
    mutating func commitGroup(now: Timestamp) {
        countActivity(now)
        isBrokerStored = true
        for (number, _) in undoLog.queues { queues[Int(number) - 1].isChanged = false }
        for (number, _) in undoLog.limits { _ = limits.change(number) { $0.isChanged = false } }
        for (number, _) in undoLog.breakers { breakers[number]?.isChanged = false }
        nonces.closeGroup(as: broker.lastRequestGroup)
        events.closeGroup()
        clearUndoLog()
    }

    /// The group is given up: memory is as it was before.
    mutating func rollBackGroup() {
        for change in undoLog.changes.reversed() {
            switch change {
            case .leaseAdded(let sequence): leases.remove(sequence)
            case .leaseRemoved(let sequence, let lease): leases.insert(sequence, lease)
            case .waiterEntered(let caller): room.remove(caller)
            case .waiterLeft(let waiter): room.insert(waiter)
            case .typeAdded: types.removeLast()
            case .workerCounted(let name, let what, let change): _ = workers.count(name, what, -change)
            case .worker(let name, let before):
                workers[name] = before
                workers.forgetBound = .min
            case .watcher(let caller, let before): before.map { watchers.insert($0) } ?? watchers.remove(caller)
            case .operation(let number, let before): operations[number] = before
            case .cron(let name, let before): crons[name] = before
            case .drainEntered(let caller): drains.remove(caller)
            case .drainLeft(let drain): drains.insert(drain)
            case .limitSetAdded: limitSets.removeLast()
            case .lineForgotten(let queue, let range, let limits): limitLines.insert(limits, queue, range)
            }
        }
        rollBackQueues()
        for (number, before) in undoLog.limits.reversed() { limits[number] = before }
        for (number, before) in undoLog.breakers.reversed() { breakers[number] = before }
        finishedOperations.removeAll()
        events.dropGroup(undoLog.told)
        if let before = undoLog.broker { broker = before }
        if let before = undoLog.timerBound { timerBound = before }
        if let before = undoLog.random { random = before }
        touched.removeAll()
        displaced.removeAll()
        nonces.dropOpenGroup()
        clearUndoLog()
    }

    private mutating func rollBackQueues() {
        for (number, _) in undoLog.queues { queueNumbers[queues[Int(number) - 1].name] = nil }
        for (number, before) in undoLog.queues where number <= undoLog.queueCount {
            queues[Int(number) - 1] = before
            dueBounds.forget(number)
            if !before.name.isEmpty { queueNumbers[before.name] = number }
        }
        queues.removeLast(queues.count - undoLog.queueCount)
        freeQueues = undoLog.freeQueues
    }

    private mutating func clearUndoLog() {
        undoLog.changes.removeAll(keepingCapacity: true)
        undoLog.queues.removeAll(keepingCapacity: true)
        undoLog.limits.removeAll(keepingCapacity: true)
        undoLog.breakers.removeAll(keepingCapacity: true)
        undoLog.samples.removeAll(keepingCapacity: true)
        if !undoLog.batches.isEmpty { undoLog.batches.removeAll(keepingCapacity: true) }
        if !undoLog.kinds.isEmpty { undoLog.kinds.removeAll(keepingCapacity: true) }
    }
}

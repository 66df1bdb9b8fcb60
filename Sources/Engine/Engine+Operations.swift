public import MartletProtocol
import MartletStorage

/// Operations on many tasks: started, told of, stopped. `Engine+Slices` runs them.
extension Engine {
    mutating func start(
        _ request: BulkRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let queue = queueNumbers[request.queue] else { return .refused(Self.unknownQueue(request.queue)) }
        if let refusal = refusal(of: request) { return .refused(refusal) }
        var target = request.target
        if target?.queue == request.queue { target?.queue = nil }
        if let runAt = target?.runAt { target?.runAt = max(now, runAt) }
        let verb: BulkVerb = request.isDryRun ? .count : request.verb
        // Where the reply is a number of tasks, what is due by now counts as having happened.
        if !verb.isInBackground { _ = try advance(to: now, limit: Self.settleLimit, in: transaction) }
        var operation = BulkOperation(
            number: broker.lastOperation + 1, queue: queue, verb: verb,
            filter: request.filter, target: target, rate: request.rate, before: broker.lastSequence + 1, started: now)
        guard !operation.verb.isInBackground else {
            try store(operation, transaction)
            return remember(request.request, .operation(operation.number))
        }
        operation.waiter = (request.caller, request.request)
        return try answer(startedBy: &operation, now, transaction)
    }

    private func refusal(of request: BulkRequest) -> CommandError? {
        let state = request.filter.state
        guard !request.verb.allows(state) else { return tooManyOperations }
        if state == .active {
            return CommandError(.badState, "ACTIVE tasks are in workers' hands; cancel them, or wait for their end")
        }
        return CommandError(.badState, "\(request.verb.name) is nothing for tasks that are \(state.name)")
    }

    private var tooManyOperations: CommandError? {
        guard operations.running.count >= Limits.operations else { return nil }
        return CommandError(
            .error, "\(Limits.operations) operations run already; wait for one to end, or stop one with TASK.STOPOP")
    }

    /// The first slice is run at once: most often it is all there is. Else the caller waits for the end.
    private mutating func answer(
        startedBy operation: inout BulkOperation, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        try slice(&operation, now, transaction)
        if operation.state.isOver, let waiter = operation.waiter {
            return remember(waiter.request, Self.outcome(of: operation))
        }
        try store(operation, transaction)
        return .blocked
    }

    /// What whoever waits for an operation is told.
    static func outcome(of operation: BulkOperation) -> RememberedAnswer {
        switch operation.verb {
        case .count: .count(operation.matched)
        case .purge, .replay, .retry, .delete, .cancel, .move: .count(operation.done)
        case .remove: .ok
        }
    }

    /// QUEUE.DEL: the name is free at once; what it stood for is removed in slices, and the caller waits for that.
    mutating func deleteQueue(
        _ request: QueueRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let queue = queueNumbers[request.queue] else { return .refused(Self.unknownQueue(request.queue)) }
        if let refusal = tooManyOperations { return .refused(refusal) }
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        let active = queues[Int(queue) - 1][.active]
        guard active == 0 else {
            let name = String(decoding: request.queue, as: UTF8.self)
            return .refused(
                CommandError(.badState, "queue '\(name)' has \(active) ACTIVE tasks; pause it and wait for their end"))
        }
        for operation in operations.ordered where operation.queue == queue && !operation.state.isOver {
            try end(operation, .stopped, now, transaction)
        }
        try setPause(QueuePause(), queue, transaction)
        leaveGates(queue)
        change(queue) { $0.name = [] }
        queueNumbers[request.queue] = nil
        var operation = BulkOperation(
            number: broker.lastOperation + 1, queue: queue, verb: .remove, filter: BulkFilter(state: .pending),
            before: .max, started: now)
        operation.waiter = (request.caller, request.request)
        return try answer(startedBy: &operation, now, transaction)
    }

    /// Whether a queue was deleted: its tasks are no more, though some may still be stored.
    func isGone(_ queue: UInt32) -> Bool { queues[Int(queue) - 1].name.isEmpty }

    /// Whether there is a record of a task, and the task's queue was not deleted.
    func isKnown<A>(_ sequence: UInt64, _ transaction: borrowing Transaction<A>) throws(StorageError) -> Bool {
        guard try transaction.contains(Tables.tasks, taskKey(sequence)) else { return false }
        guard operations.removesQueue else { return true }
        return try task(sequence, transaction).map { !isGone($0.queue) } ?? false
    }

    mutating func stop(
        _ request: StopOperationRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let number = request.number, let operation = operations[number] else {
            let id = String(decoding: request.id, as: UTF8.self)
            return .refused(CommandError(.error, "no such operation '\(id)'; TASK.OPS lists them"))
        }
        guard !operation.state.isOver, operation.verb != .remove else {
            let why = operation.state.isOver ? "is over" : "removes a queue that is deleted"
            return .refused(CommandError(.badState, "the operation \(why); it cannot be stopped"))
        }
        try end(operation, .stopped, now, transaction)
        return remember(request.request, .ok)
    }

    /// An operation is over: whoever waits for it is told, and one that has been over for long is forgotten.
    mutating func end(
        _ operation: BulkOperation, _ state: BulkState, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var operation = operation
        (operation.state, operation.ended) = (state, now)
        if let waiter = operation.waiter {
            let answer = remember(waiter.request, Self.outcome(of: operation))
            finishedOperations.append((waiter.caller, answer))
            operation.waiter = nil
        }
        try store(operation, transaction)
        let over = operations.all.count - operations.running.count
        guard over > Limits.operationsKept, let oldest = operations.oldestOver else { return }
        undoLog.changes.append(.operation(oldest, operations[oldest]))
        operations[oldest] = nil
        try transaction.delete(Tables.operations, taskKey(oldest))
    }

    /// What is known of an operation is that from now on.
    mutating func store(
        _ operation: BulkOperation, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        undoLog.changes.append(.operation(operation.number, operations[operation.number]))
        operations[operation.number] = operation
        broker.lastOperation = max(broker.lastOperation, operation.number)
        try transaction.put(Tables.operations, taskKey(operation.number)) { operation.write(to: &$0) }
    }

    /// When the next slice of an operation may be run; `nil`: none runs.
    public var nextOperationInstant: Timestamp? { operations.nextInstant }

    /// Those who wait for an operation's end.
    var operationCallers: [CallerID] { operations.ordered.compactMap(\.waiter?.caller) }

    mutating func forgetOperation(_ caller: CallerID) {
        guard let number = operations.running.first(where: { operations[$0]?.waiter?.caller == caller }) else { return }
        operations[number]?.waiter = nil
    }

    func deadKinds<A>(
        _ request: DeadKindsRequest, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Answer {
        guard let queue = queueNumbers[request.queue] else { return .deadKinds([], next: 0) }
        var kinds: [DeadKind] = []
        var next: UInt64 = 0
        let from = KindPlace(queue: queue, from: request.cursor).key
        try transaction.scanRecords(Tables.kinds, from: from, prefix: DeadKind.prefix(queue: queue)) { key, record in
            if kinds.count == request.count {
                next = KindPlace(key).hash
                return false
            }
            kinds.append(undoLog.kinds[KindPlace(key)] ?? DeadKind(from: &record))
            return true
        }
        return .deadKinds(kinds, next: next)
    }
}

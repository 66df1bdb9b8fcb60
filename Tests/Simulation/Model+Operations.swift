internal import MartletEngine
internal import MartletProtocol

/// An operation on many tasks.
struct ModelOperation {
    var number: UInt64
    var queue: Bytes
    var verb: BulkVerb
    var filter: BulkFilter
    var target: BulkTarget?
    var rate: Int64?
    /// The newest task there was when it began.
    var newest: TaskID?
    var started: Timestamp
    var state = "running"
    var isCounting: Bool
    var matched: Int64 = 0
    var done: Int64 = 0
    var failed: Int64 = 0
    var ended: Timestamp?
    /// Where it is in its list of tasks.
    var place: Place?
    var waiter: (caller: CallerID, request: RequestNonce?)?
    /// The second that is counted, and the tasks handled in it.
    var second: (from: Timestamp, tasks: Int64)?

    var isRunning: Bool { state == "running" }

    /// Whoever starts it goes on with other things.
    var isInBackground: Bool { verb != .purge && verb != .count }

    mutating func restart() {
        waiter = nil
        second = nil
    }

    /// So many tasks a second, from the first slice on; what was missed by more than 40 ms is not made up for.
    mutating func allowance(_ now: Timestamp) -> Int64 {
        guard let rate else { return .max }
        var (from, tasks) = second ?? (now, 0)
        if now - from >= 2_000 { (from, tasks) = (now, 0) }
        if now - from >= 1_000 {
            (from, tasks) = rate - tasks <= rate * 40 / 1_000 + 1 ? (from + 1_000, tasks - rate) : (now, 0)
        }
        second = (from, tasks)
        return max(0, (now - from) * rate / 1_000 + 1 - tasks)
    }
}

/// A task's place in the list an operation walks: ended ones by their end, waiting ones in the order of hand-out.
struct Place: Comparable {
    var numbers: [Int64]
    var id: TaskID

    init(_ task: ModelTask) {
        id = task.id
        let lane: Int64 = task.state == .blocked ? 2 : task.isRetry ? 1 : 0
        let waiting = [Int64(10 - task.priority), lane == 2 ? 0 : task.limitSet, lane, task.runAt]
        numbers = task.state == .active ? [] : task.state.isEnded ? [task.endedAt ?? 0] : waiting
    }

    static func < (left: Place, right: Place) -> Bool {
        left.numbers == right.numbers
            ? left.id < right.id : left.numbers.lexicographicallyPrecedes(right.numbers)
    }
}

/// DLQ.REPLAY, DLQ.PURGE, QUEUE.PURGE, TASK.OPS, TASK.STOPOP.
extension Model {
    /// Tasks a slice changes.
    static let slice = 3

    mutating func start(_ request: BulkRequest, _ now: Timestamp) -> Outcome {
        guard totals[request.queue] != nil else { return .refused(.noQueue) }
        guard request.isAllowed else { return .refused(.badState) }
        if operations.values.count(where: \.isRunning) >= Limits.operations { return .refused(.error) }
        var operation = ModelOperation(
            number: newestOperation + 1, queue: request.queue, verb: request.isDryRun ? .count : request.verb,
            filter: request.filter, target: request.target, rate: request.rate, newest: newestID, started: now,
            isCounting: request.verb != .purge)
        if let runAt = operation.target?.runAt { operation.target?.runAt = max(now, runAt) }
        if operation.isInBackground {
            keep(operation)
            return .operation(operation.number)
        }
        runSlice(&operation, now)
        guard operation.isRunning else { return .count(operation.verb == .count ? operation.matched : operation.done) }
        operation.waiter = (request.caller, request.request)
        keep(operation)
        return .blocked
    }

    private mutating func keep(_ operation: ModelOperation) {
        operations[operation.number] = operation
        newestOperation = operation.number
    }

    mutating func stop(_ request: StopOperationRequest, _ now: Timestamp) -> Outcome {
        guard let number = request.number, let operation = operations[number] else { return .refused(.error) }
        guard operation.isRunning else { return .refused(.badState) }
        end(number, "stopped", now)
        return .ok
    }

    var operationList: [OperationSight] {
        operations.values.sorted { $0.number < $1.number }.map {
            OperationSight(
                number: $0.number, verb: $0.verb, state: $0.state, matched: $0.matched, done: $0.done,
                failed: $0.failed, rate: $0.rate, started: $0.started, ended: $0.ended)
        }
    }

    var waitingCallers: [CallerID] {
        calls.map(\.caller) + operations.values.compactMap(\.waiter?.caller) + removals.keys + drains.keys
            + limits.values.flatMap { $0.calls.map(\.request.caller) }
    }

    mutating func end(_ number: UInt64, _ state: String, _ now: Timestamp) {
        guard var operation = operations[number], operation.isRunning else { return }
        (operation.state, operation.ended) = (state, now)
        if let waiter = operation.waiter {
            let outcome = Outcome.count(operation.verb == .count ? operation.matched : operation.done)
            finished[waiter.caller] = outcome
            remember(waiter.request, outcome, now)
            operation.waiter = nil
        }
        operations[number] = operation
    }

    /// The engine ran a slice of this one; which one is its business.
    mutating func runSlice(of number: UInt64, _ now: Timestamp) {
        guard var operation = operations[number], operation.isRunning else { return }
        runSlice(&operation, now)
        let isOver = !operation.isRunning
        if isOver { operation.state = "running" }
        operations[number] = operation
        if isOver { end(number, "done", now) }
    }

    private mutating func runSlice(_ operation: inout ModelOperation, _ now: Timestamp) {
        let most = operation.filter.most ?? .max
        if operation.isCounting {
            let (found, isEnd) = walk(&operation, most - operation.matched, now)
            operation.matched += Int64(found.count)
            guard isEnd || operation.matched == most else { return }
            (operation.place, operation.isCounting) = (nil, false)
            if operation.verb == .count { (operation.state, operation.ended) = ("done", now) }
            return
        }
        let left = most - operation.done - operation.failed
        let allowed = min(Int64(Self.slice), operation.allowance(now), left)
        let (found, isEnd) = walk(&operation, allowed, now)
        for id in found {
            if handle(id, operation, now) { operation.done += 1 } else { operation.failed += 1 }
        }
        operation.second?.tasks += Int64(found.count)
        if operation.verb == .purge { operation.matched = operation.done + operation.failed }
        if isEnd || left == Int64(found.count) { (operation.state, operation.ended) = ("done", now) }
    }

    /// Does to one task what is to be done; `false`: it could not be.
    private mutating func handle(_ id: TaskID, _ operation: ModelOperation, _ now: Timestamp) -> Bool {
        switch operation.verb {
        case .replay, .retry: return revive(id, reset: operation.verb == .replay, now)
        case .cancel:
            if case .state = cancel(CancelRequest(id: id), now) { return true }
            return false
        case .move:
            let target = operation.target ?? BulkTarget()
            let move = MoveRequest(id: id, priority: target.priority, runAt: target.runAt, queue: target.queue)
            if case .state = relocate(move, now) { return true }
            return false
        case .purge, .delete, .remove, .count:
            // The end of one before it may have taken this one along.
            guard operation.filter.state.isEnded || tasks[id]?.hasPlace == true else { return false }
            delete(id, now)
            return true
        }
    }

    /// The next matching tasks: at most `most`, and 20 places looked at for each task of a slice.
    private func walk(_ operation: inout ModelOperation, _ most: Int64, _ now: Timestamp) -> ([TaskID], Bool) {
        guard most > 0 else { return ([], false) }
        let filter = operation.filter
        let (queue, place) = (operation.queue, operation.place)
        // Those in hand are not kept by queue.
        var line = tasks.values.filter { $0.queue == queue || filter.state == .active }
            .filter { filter.state.isEnded || filter.state == .active ? $0.state == filter.state : $0.hasPlace }
        if let place { line.removeAll { Place($0) <= place } }
        line.sort { Place($0) < Place($1) }
        let heldUp = Set(line.filter { $0.state == .pending && shown($0, now) == .blocked }.map(\.id))
        var found: [TaskID] = []
        var looked: Int64 = 0
        for task in line {
            let sofar = filter.state == .active ? looked : Int64(found.count)
            guard looked < 20 * Self.slice, sofar < most else { return (found, false) }
            operation.place = Place(task)
            looked += 1
            if matches(task, operation, heldUp, now) { found.append(task.id) }
        }
        return (found, true)
    }

    /// - Parameter closed: the tasks that are held up.
    private func matches(
        _ task: ModelTask, _ operation: ModelOperation, _ closed: Set<TaskID>, _ now: Timestamp
    ) -> Bool {
        guard let newest = operation.newest, task.id <= newest else { return false }
        let filter = operation.filter
        if let type = filter.type, task.type != type { return false }
        if let kind = filter.kind, task.errorKind != kind { return false }
        if let tag = filter.tag, !task.tags.contains(tag) { return false }
        if let age = filter.age, task.enqueuedAt >= operation.started - age { return false }
        if let target = operation.target, task.isAt(target) { return false }
        switch filter.state {
        case .active: return task.queue == operation.queue
        case .pending:
            return task.isWaiting && task.runAt <= operation.started && !closed.contains(task.id)
        case .scheduled: return task.isWaiting && task.runAt > now
        case .blocked:
            return task.state == .blocked
                || task.isWaiting && task.runAt <= operation.started && closed.contains(task.id)
        default: return (task.endedAt ?? 0) <= operation.started
        }
    }
}

extension BulkRequest {
    /// Whether there is anything the verb could do to tasks in that state.
    fileprivate var isAllowed: Bool {
        switch (verb, filter.state) {
        case (.cancel, let state): !state.isEnded
        case (_, .active): false
        case (.retry, let state): state.isEnded || state == .scheduled
        case (.move, let state): state == .pending || state == .scheduled || state == .blocked
        default: true
        }
    }
}

extension ModelTask {
    /// Whether it is where it would be moved.
    fileprivate func isAt(_ target: BulkTarget) -> Bool {
        (target.queue ?? queue) == queue && (target.priority ?? priority) == priority
            && (target.runAt ?? runAt) == runAt
    }
}

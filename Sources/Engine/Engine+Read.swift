public import MartletProtocol
public import MartletStorage

extension Engine {
    /// Answers an operation that changes nothing: get, why, list, result, logs, views of queues and workers. What is
    /// due but not yet done is not seen; use `apply` while `mayBeDue(by:)`.
    public func answer<A>(
        _ operation: Operation, now: Timestamp, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Answer {
        switch operation {
        case .get(let request): return try get(request, now, transaction)
        case .list(let request): return try list(request, now, transaction)
        case .result(let id): return try result(id, transaction)
        case .why(let id): return try why(id, looking: now, transaction)
        case .queueInfo(let name):
            guard let number = queueNumbers[name] else {
                return .refused(Self.unknownQueue(name))
            }
            var look = LineLook()
            return .queue(try view(of: queue(number), &look, now, transaction))
        case .queueOptions(let name):
            guard let number = queueNumbers[name] else { return .refused(Self.unknownQueue(name)) }
            return .queueOptions(queue(number).options)
        case .queueList:
            var views: [QueueView] = []
            var look = LineLook()
            for queue in queues where !queue.name.isEmpty {
                views.append(try view(of: queue, &look, now, transaction))
            }
            return .queues(views)
        case .logs(let request): return try logs(request, transaction)
        case .workerList: return .workers(workerViews(now))
        case .workerInfo(let name): return workerView(name, now)
        case .limitInfo(let name): return try limitAnswer(name, now, transaction)
        case .breakerInfo(let name): return breakerAnswer(name, now)
        case .breakerList: return .breakers(breakerViews(now))
        case .limitList: return .limits(try limitViews(now, transaction))
        case .batchInfo(let name): return try batchInfo(name, transaction)
        case .operations: return .operations(operations.ordered.map(OperationView.init))
        case .deadKinds(let request): return try deadKinds(request, transaction)
        case .cronGet(let name, let history): return cronView(name, history: history)
        case .cronList: return cronList()
        case .cronTimes(let name, let count): return cronTimes(name, count: count, now)
        default: preconditionFailure("this operation changes something; use apply")
        }
    }

    /// What is due for the task happens first; then it is looked at. A damaged record is named and put aside.
    mutating func lookUp(
        _ id: TaskID?, _ operation: Operation, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let sequence = sequence(id) { try settleToTell(sequence, now, transaction) }
        return try answer(operation, now: now, in: transaction)
    }

    private func get<A>(
        _ request: GetRequest, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Answer {
        guard let id = request.id, let sequence = sequence(id) else { return .refused(unknownTask(request.id)) }
        do throws(StorageError) {
            guard let task = try task(sequence, transaction), !isGone(task.queue) else {
                return .refused(try missing(sequence, id, transaction))
            }
            let phase: Phase? = leases[sequence] == nil ? nil : .active
            var look = LineLook()
            var view = try view(id, task, phase, &look, now, transaction)
            if request.payload { view.payload = try taskWithPayload(sequence, transaction)?.payload }
            if request.history { view.history = try history(of: view, task, sequence, now, transaction) }
            return .task(view)
        } catch {
            guard error.kind == .damaged else { throw error }
            return .refused(Self.damagedTask(id))
        }
    }

    func view<A>(
        _ id: TaskID, _ task: TaskRecord, _ phase: Phase?, _ look: inout LineLook, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> TaskView {
        var record: StateRecord?
        for candidate in phase.map({ [$0] }) ?? [.waiting, .ended] where record == nil {
            record = try state(id.sequence, candidate, transaction)
        }
        let state = record ?? StateRecord(of: task)
        let shown =
            phase == .active
            ? .active : state.state.isEnded ? state.state : try shown(state, task, &look, now, transaction)
        let left = shown.isEnded ? 0 : state.retries - state.attempt + (shown == .active ? 1 : 0)
        let isActive = shown == .active
        return TaskView(
            id: id, queue: queueName(task.queue), type: types.name(task.type), state: shown,
            priority: state.priority, attempt: state.attempt, retries: state.retries, retriesLeft: max(0, left),
            token: state.token == 0 ? nil : state.token, worker: isActive || shown == .completed ? state.worker : nil,
            enqueuedAt: task.created, runAt: state.runAt, startedAt: state.startedAt == 0 ? nil : state.startedAt,
            deadline: isActive ? state.deadline : nil, endedAt: state.endedAt, lastError: state.lastError,
            errorKind: state.errorKind, progress: state.progress, note: state.note, cancel: isActive && state.cancel,
            unique: task.unique?.key, group: task.group, order: task.order, tags: task.tags, meta: task.meta,
            keepUntil: state.keepUntil, resultSize: state.resultSize, payloadSize: task.payloadSize)
    }

    /// In which state a task is that waits.
    private func shown<A>(
        _ state: StateRecord, _ task: TaskRecord, _ look: inout LineLook, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> TaskState {
        if state.state == .blocked { return .blocked }
        if state.runAt > now { return .scheduled }
        return try isHeldUp(task, &look, now, transaction) ? .blocked : .pending
    }

    private func result<A>(_ id: TaskID?, _ transaction: borrowing Transaction<A>) throws(StorageError) -> Answer {
        guard let id, let sequence = sequence(id) else { return .refused(unknownTask(id)) }
        do throws(StorageError) {
            guard let ended = try state(sequence, .ended, transaction), !isGone(ended.queue) else {
                guard let task = try task(sequence, transaction), !isGone(task.queue) else {
                    return .refused(try missing(sequence, id, transaction))
                }
                return .refused(CommandError(.badState, "task \(id) has not ended; ask again when it has"))
            }
            guard ended.resultSize != nil else { return .bytes(nil) }
            if let result = ended.result { return .bytes(result) }
            return .bytes(try body(.result, of: sequence, transaction))
        } catch {
            guard error.kind == .damaged else { throw error }
            return .refused(Self.damagedTask(id))
        }
    }

    private func view<A>(
        of queue: QueueState, _ look: inout LineLook, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> QueueView {
        let heldUp = try heldUp(in: queue, &look, now, transaction)
        var workers = Set(leases.workers(of: queue.id))
        for waiter in room.waiters(of: queue.name) { if let worker = waiter.request.worker { workers.insert(worker) } }
        workers.formUnion(self.workers.of(queue: queue.name, heardSince: now - Self.workerPatience))
        let lately = activity[queue.id]
        let rates = activity.rates(queue.id, now)
        return QueueView(
            name: queue.name, pending: queue[.pending] - heldUp, scheduled: queue[.scheduled],
            active: queue[.active], blocked: queue[.blocked] + heldUp, dead: queue[.dead], completed: queue[.completed],
            cancelled: queue[.cancelled],
            expired: queue[.expired], totalAdded: queue.totalAdded, totalCompleted: queue.totalCompleted,
            totalFailed: queue.totalFailed, oldest: try oldestDue(queue, now, transaction),
            inRate: rates?.entered, outRate: rates?.left, failRate: rates?.failed,
            waits: lately?.waits.percentiles(now).map { DurationView(half: $0.half, most: $0.most) },
            runs: lately?.runs.percentiles(now).map { DurationView(half: $0.half, most: $0.most) },
            paused: queue.pause.holds(at: now),
            draining: queue.isDraining, retryShare: queue.retryShare, workers: workers.count, lagging: isBehind(at: now)
        )
    }

    /// Age of the oldest waiting task that is due: the heads of at most 20 ranges.
    private func oldestDue<A>(
        _ queue: QueueState, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Milliseconds? {
        var oldest: Timestamp?
        for index in 0..<WaitingRange.count where queue.waiting[index] > 0 {
            let range = WaitingRange(index: index)
            for limits in [0] + limitLines.sets(of: queue.id, range) {
                let prefix = WaitingKey.prefix(queue: queue.id, range: range, limits: limits)
                guard let first = try transaction.first(Tables.waiting, from: prefix, prefix: prefix) else { continue }
                let due = WaitingKey(first.key).due
                if due <= now { oldest = min(oldest ?? .max, due) }
            }
        }
        return oldest.map { now - $0 }
    }
}

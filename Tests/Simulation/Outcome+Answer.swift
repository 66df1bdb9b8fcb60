internal import MartletEngine
internal import MartletProtocol

extension Outcome {
    /// The engine's answer, made comparable.
    init(_ answer: Answer) {
        switch answer {
        case .ok: self = .ok
        case .refused(let error): self = .refused(error.code)
        case .id(let id): self = .id(id)
        case .added(let task): self = .added(Added(task))
        case .state(let state): self = .state(state)
        case .count(let count): self = .count(count)
        case .ids(let ids): self = .ids(ids)
        case .addedMany(let tasks): self = .addedMany(tasks.map(Added.init))
        case .handedOut(let tasks): self = .handedOut(tasks.map(Delivery.init))
        case .blocked: self = .blocked
        case .many(let errors): self = .many(errors.map { $0?.code })
        case .failed(let attempt): self = .failed(Failure(attempt))
        case .touched(let deadline, let cancel): self = .touched(deadline: deadline, cancel: cancel)
        case .task(let view): self = .task(Sight(view))
        case .list(_, let tasks): self = .list(tasks.map(Sight.init))
        case .bytes(let bytes): self = .bytes(bytes)
        case .why(let view): self = .why(WaitSight(state: view.state, reason: view.reason, until: view.until))
        case .queue(let view): self = .queue(QueueSight(view))
        case .queues(let views):
            self = .queues(views.map(QueueSight.init).sorted { $0.name.lexicographicallyPrecedes($1.name) })
        case .logLines(let next, let lines): self = .logLines(next, lines.map(Line.init))
        case .waited(let tasks): self = .waited(tasks.map(Waited.init))
        case .beat(let beat): self = .beat(Beat(beat))
        case .worker(let view): self = .workers([WorkerSight(view)])
        case .workers(let views): self = .workers(views.map(WorkerSight.init))
        case .queueOptions(let options): self = .queueOptions(options)
        case .taken(let answer): self = .taken(TakeSight(answer))
        case .allowed(let phase, let isAllowed): self = .allowed(phase, isAllowed)
        case .breaker(let view): self = .breakers([BreakerSight(view)])
        case .breakers(let views): self = .breakers(views.map(BreakerSight.init))
        case .limit(let view): self = .limits([LimitSight(view)])
        case .limits(let views): self = .limits(views.map(LimitSight.init))
        case .batch(let view): self = .batch(view)
        case .operation(let number): self = .operation(number)
        case .cron(let view, _): self = .crons([view])
        case .crons(let views): self = .crons(views)
        case .times(let times): self = .times(times)
        case .operations(let views): self = .operations(views.filter { $0.verb != .remove }.map(OperationSight.init))
        case .deadKinds(let kinds, _):
            self = .deadKinds(kinds.map { KindSight(kind: $0.kind, count: $0.count) }.sorted())
        }
    }
}

extension OperationSight {
    init(_ view: OperationView) {
        self.init(
            number: view.number, verb: view.verb, state: view.state.name, matched: view.matched, done: view.done,
            failed: view.failed, rate: view.rate, started: view.started, ended: view.ended)
    }
}

extension KindSight: Comparable {
    static func < (left: KindSight, right: KindSight) -> Bool {
        (left.kind ?? []).lexicographicallyPrecedes(right.kind ?? [])
    }
}

extension Added {
    init(_ task: AddedTask) {
        self.init(id: task.id, state: task.state, created: task.created, runAt: task.runAt)
    }
}

extension Delivery {
    init(_ task: HandOut) {
        self.init(
            id: task.id, queue: task.queue, type: task.type, payload: task.payload, priority: task.priority,
            attempt: task.attempt, retries: task.retries, token: task.token, lease: task.lease,
            deadline: task.deadline, enqueuedAt: task.enqueuedAt, runAt: task.runAt, meta: task.meta,
            tags: task.tags, lastError: task.lastError)
    }
}

extension Failure {
    init(_ attempt: FailedAttempt) {
        self.init(
            state: attempt.state, attempt: attempt.attempt, retriesLeft: attempt.retriesLeft, runAt: attempt.runAt)
    }
}

extension Sight {
    init(_ view: TaskView) {
        self.init(
            id: view.id, queue: view.queue, type: view.type, state: view.state, priority: view.priority,
            attempt: view.attempt, retries: view.retries, retriesLeft: view.retriesLeft, token: view.token,
            worker: view.worker, enqueuedAt: view.enqueuedAt, runAt: view.runAt, startedAt: view.startedAt,
            deadline: view.deadline, endedAt: view.endedAt, lastError: view.lastError, errorKind: view.errorKind,
            progress: view.progress, note: view.note, cancel: view.cancel, unique: view.unique, group: view.group,
            order: view.order, tags: view.tags, meta: view.meta, keepUntil: view.keepUntil,
            resultSize: view.resultSize, payloadSize: view.payloadSize, payload: view.payload,
            history: view.history?.map(Move.init))
    }
}

extension Move {
    init(_ entry: HistoryEntry) {
        self.init(
            at: entry.at, from: entry.from, to: entry.to, attempt: entry.attempt, reason: entry.reason,
            kind: entry.kind, message: entry.message, trace: entry.trace, worker: entry.worker)
    }
}

extension QueueSight {
    init(_ view: QueueView) {
        self.init(
            name: view.name,
            counts: [
                .pending: view.pending, .scheduled: view.scheduled, .active: view.active, .blocked: view.blocked,
                .dead: view.dead, .completed: view.completed, .cancelled: view.cancelled, .expired: view.expired,
            ],
            totalAdded: view.totalAdded, totalCompleted: view.totalCompleted, totalFailed: view.totalFailed,
            oldest: view.oldest, paused: view.paused, draining: view.draining, retryShare: view.retryShare,
            workers: view.workers, lagging: view.lagging)
    }
}

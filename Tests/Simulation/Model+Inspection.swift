internal import MartletEngine
internal import MartletProtocol

/// GET, RESULT, QUEUE.INFO and QUEUE.LIST.
extension Model {
    func view(_ request: GetRequest, _ now: Timestamp) -> Outcome {
        guard let id = request.id, let task = tasks[id] else { return .refused(.noTask) }
        return .task(sight(task, payload: request.payload, history: request.history, now))
    }

    func sight(_ task: ModelTask, payload: Bool = false, history: Bool = false, _ now: Timestamp) -> Sight {
        var sight = task.sight(payload: payload, history: history)
        sight.state = shown(task, now)
        return sight
    }

    func result(_ id: TaskID?) -> Outcome {
        guard let id, let task = tasks[id] else { return .refused(.noTask) }
        return task.state.isEnded ? .bytes(task.result) : .refused(.badState)
    }

    func queueInfo(_ name: Bytes, _ now: Timestamp) -> Outcome {
        sight(name, now).map { .queue($0) } ?? .refused(.noQueue)
    }

    func queueList(_ now: Timestamp) -> [QueueSight] {
        totals.keys.sorted { $0.lexicographicallyPrecedes($1) }.compactMap { sight($0, now) }
    }

    private func sight(_ name: Bytes, _ now: Timestamp) -> QueueSight? {
        guard let totals = totals[name] else { return nil }
        let members = tasks.values.filter { $0.queue == name }
        var counts: [TaskState: Int64] = [:]
        for state in TaskState.allCases { counts[state] = Int64(members.count { shown($0, now) == state }) }
        let oldest = members.filter { $0.isWaiting && $0.runAt <= now }.map(\.runAt).min()
        let waiting = calls.filter { $0.request.queues.contains(name) }.compactMap(\.request.worker)
        let said = workers.filter { $0.value.hello.queues.contains(name) && now - $0.value.lastBeat <= 30_000 }.keys
        return QueueSight(
            name: name, counts: counts, totalAdded: totals.added, totalCompleted: totals.completed,
            totalFailed: totals.failed, oldest: oldest.map { now - $0 },
            paused: isPaused(name, \.adding, now) || isPaused(name, \.handingOut, now),
            draining: pauses[name]?.isDraining == true, retryShare: retryShare(of: name),
            workers: Set(members.compactMap { $0.hold == nil ? nil : $0.worker } + waiting + said).count)
    }
}

extension ModelTask {
    /// Further attempts that may still start.
    private var retriesLeft: Int64 {
        switch state {
        case .scheduled, .pending, .blocked: retries - attempt
        case .active: retries - attempt + 1
        default: 0
        }
    }

    private var shownWorker: Bytes? { state == .active || state == .completed ? worker : nil }

    func sight(payload: Bool, history: Bool) -> Sight {
        Sight(
            id: id, queue: queue, type: type, state: state, priority: priority, attempt: attempt, retries: retries,
            retriesLeft: retriesLeft, token: token, worker: shownWorker, enqueuedAt: enqueuedAt,
            runAt: runAt, startedAt: startedAt, deadline: deadline, endedAt: endedAt, lastError: lastError,
            errorKind: errorKind, progress: progress, note: note, cancel: state == .active && cancel,
            unique: unique?.key, group: group, order: order, tags: tags, meta: meta, keepUntil: keepUntil,
            resultSize: result?.count, payloadSize: self.payload.count, payload: payload ? self.payload : nil,
            history: history ? self.history : nil)
    }
}

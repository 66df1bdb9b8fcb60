internal import MartletEngine
internal import MartletProtocol

/// TASK.ADD and TASK.MADD.
extension Model {
    mutating func add(_ request: AddRequest, _ now: Timestamp, _ answer: Answer) -> Outcome {
        if let refusal = isClosed(request.queue, now) ?? refusal(of: request.options.limits) { return refusal }
        if let refusal = refusal(ofJoining: request.batch) { return refusal }
        if !knows(request.after) { return .refused(.noTask) }
        if !hasHolder(request), let refusal = refusal(ofAdding: 1, to: request.queue, now) { return refusal }
        if let outcome = conflict(request, now) { return outcome }
        guard let id = Self.newIDs(answer).first else { return request.full ? .addedMany([]) : .ids([]) }
        let task = insert(request, id, now)
        return request.full ? .added(Added(task, shown(id, now))) : .id(id)
    }

    mutating func addMany(_ request: AddManyRequest, _ now: Timestamp, _ answer: Answer) -> Outcome {
        if let refusal = isClosed(request.queue, now) ?? refusal(of: request.options.limits) { return refusal }
        if let refusal = refusal(ofJoining: request.batch) { return refusal }
        if !knows(request.after) { return .refused(.noTask) }
        if let refusal = refusal(ofAdding: request.items.count, to: request.queue, now) { return refusal }
        var tasks: [ModelTask] = []
        for (item, id) in zip(request.items, Self.newIDs(answer)) {
            var add = AddRequest(
                queue: request.queue, type: item.type, payload: item.payload, options: request.options)
            (add.after, add.batch) = (request.after, request.batch)
            tasks.append(insert(add, id, now))
        }
        if tasks.count != request.items.count {
            complaints.append("\(tasks.count) ids for \(request.items.count) tasks")
        }
        return request.full ? .addedMany(tasks.map { Added($0, shown($0.id, now)) }) : .ids(tasks.map(\.id))
    }

    mutating func insert(_ request: AddRequest, _ id: TaskID, _ now: Timestamp) -> ModelTask {
        if let newestID, id <= newestID { complaints.append("id \(id) is not after \(newestID)") }
        if TaskID(id.description) != id { complaints.append("id \(id) is not a UUID of version 7") }
        newestID = id
        let defaults = options[request.queue, default: QueueOptions()].task
        var task = ModelTask(id: id, add: request, defaults: defaults, now: now)
        task.limitSet = limitSet(task.limits.map(\.name))
        tasks[id] = task
        takeKey(of: id, now)
        join(request.batch, id)
        totals[request.queue, default: Totals()].added += 1
        let parked = request.after.map { park(task, $0, now) } ?? task
        guard parked.isWaiting, isBehind(parked) else { return parked }
        tasks[id]?.state = .blocked
        tasks[id]?.history[0].to = .blocked
        return tasks[id] ?? parked
    }

    /// The ids the broker chose; empty: it refused.
    private static func newIDs(_ answer: Answer) -> [TaskID] {
        switch answer {
        case .id(let id): [id]
        case .added(let task): [task.id]
        case .ids(let ids): ids
        case .addedMany(let tasks): tasks.map(\.id)
        default: []
        }
    }
}

extension Added {
    fileprivate init(_ task: ModelTask, _ shown: TaskState?) {
        self.init(id: task.id, state: shown ?? task.state, created: true, runAt: task.runAt)
    }
}

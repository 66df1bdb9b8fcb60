internal import MartletEngine
internal import MartletProtocol

/// CANCEL, MOVE and DEL.
extension Model {
    mutating func cancel(_ request: CancelRequest, _ now: Timestamp) -> Outcome {
        guard let id = request.id, let task = tasks[id] else { return .refused(.noTask) }
        let report = Report(reason: "cancel", message: request.reason, next: .dead)
        if task.state == .active {
            guard !task.cancel else { return .state(.active) }
            let hold = task.hold
            move(id, .active, "cancel", now, report)
            tasks[id]?.hold = hold
            tasks[id]?.cancel = true
            return .state(.active)
        }
        guard task.hasPlace else { return .refused(.badState) }
        end(id, .cancelled, "cancel", now, report)
        return .state(.cancelled)
    }

    mutating func relocate(_ request: MoveRequest, _ now: Timestamp) -> Outcome {
        guard let id = request.id, var task = tasks[id] else { return .refused(.noTask) }
        guard task.hasPlace else { return .refused(.badState) }
        let before = task
        if let queue = request.queue, queue != task.queue {
            if let refusal = isClosed(queue, now) { return refusal }
            if let unique = task.unique, holds[KeyName(queue: queue, key: unique.key)] != nil {
                return .refused(.duplicate)
            }
            if let refusal = refusal(ofAdding: 1, to: queue, now) { return refusal }
            freeKey(of: id)
            task.queue = queue
            totals[queue] = totals[queue] ?? Totals()
            tasks[id] = task
            takeKey(of: id, now)
        }
        if task.queue != before.queue {
            keepOrder(before, now)
            task = tasks[id] ?? task
        } else if task.isWaiting {
            leaveLine(id)
        }
        task.priority = request.priority ?? task.priority
        task.runAt = request.runAt.map { max(now, $0) } ?? task.runAt
        tasks[id] = task
        let state: TaskState = task.state == .blocked ? .blocked : task.runAt > now ? .scheduled : .pending
        move(id, state, "move", now)
        keepOrder(task, now)
        return .state(shown(id, now) ?? state)
    }

    mutating func delete(_ request: DeleteRequest, _ now: Timestamp) -> Outcome {
        let ids = Set(request.ids.compactMap { $0 }).filter { tasks[$0] != nil }
        guard !ids.contains(where: { tasks[$0]?.state == .active }) else { return .refused(.badState) }
        var deleted: Int64 = 0
        // The end of one may take another along: a dependent that keeps no record.
        for case let id? in request.ids where tasks[id] != nil {
            delete(id, now)
            deleted += 1
        }
        return .count(deleted)
    }
}

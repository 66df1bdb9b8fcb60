internal import MartletEngine
internal import MartletProtocol

/// AFTER, and what an ACK adds.
extension Model {
    var hasParked: Bool { tasks.values.contains { $0.state == .blocked } }

    func knows(_ after: Dependencies?) -> Bool {
        after?.ids.allSatisfy { id in id.map { tasks[$0] != nil } ?? false } ?? true
    }

    /// A task that was just added waits for others, if there is anything to wait for.
    mutating func park(_ task: ModelTask, _ after: Dependencies, _ now: Timestamp) -> ModelTask {
        var task = task
        task.onDead = after.onDead
        var isDoomed = false
        for other in Set(after.ids.compactMap { $0 }) {
            let isGone = tasks[other] == nil
            let state = tasks[other]?.state ?? .cancelled
            guard state.isEnded else {
                task.open.insert(other)
                continue
            }
            if state == .completed || after.onDead == .run { continue }
            if after.onDead == .cancel || isGone { isDoomed = true } else { task.open.insert(other) }
        }
        guard isDoomed || !task.open.isEmpty else { return task }
        task.state = .blocked
        task.history[0].to = .blocked
        tasks[task.id] = task
        guard isDoomed else { return task }
        end(task.id, .cancelled, "cancel", now, Report.culprit)
        task.state = .cancelled
        return task
    }

    /// A task has ended, or is gone before it did: those that wait for it go on, or end too.
    mutating func tellDependents(of id: TaskID, _ state: TaskState, _ time: Timestamp) {
        let isGone = tasks[id] == nil
        for other in tasks.values.filter({ $0.open.contains(id) }).map(\.id).sorted() {
            guard var task = tasks[other], task.state == .blocked else { continue }
            // Its own time counts before what it is told.
            if task.expiresAt == time {
                end(other, .expired, "ttl", time)
                continue
            }
            if state != .completed {
                if task.onDead == .wait, !isGone { continue }
                if task.onDead != .run {
                    end(other, .cancelled, "cancel", time, Report.culprit)
                    continue
                }
            }
            task.open.remove(id)
            tasks[other] = task
            if task.open.isEmpty { keepOrder(task, time) }
        }
    }

    /// A task is deleted.
    mutating func delete(_ id: TaskID, _ now: Timestamp) {
        let task = tasks[id]
        remove(id)
        if let task { keepOrder(task, now) }
        guard let task else { return }
        if !task.state.isEnded { tellBatch(of: id, .cancelled, now) }
        // Who waits for it to complete waits in vain.
        if task.state != .completed { tellDependents(of: id, .cancelled, now) }
    }

    /// Adds what an ACK adds; the ids are those the engine chose. Refused: nothing is added.
    mutating func addChildren(of request: AcknowledgeRequest, _ now: Timestamp) -> Outcome? {
        guard let id = request.id, tasks[id]?.hold?.token == request.token else { return nil }
        var keys: [[Bytes]: Bool] = [:]
        for child in request.children {
            if let refusal = isClosed(child.queue, now) ?? refusal(of: child.options.limits) { return refusal }
            if let refusal = refusal(ofJoining: child.batch) { return refusal }
            if !knows(child.after) { return .refused(.noTask) }
            guard let key = child.unique?.key else { continue }
            let isSkip = child.conflict == .skip
            if !isSkip, let holder = holds[KeyName(queue: child.queue, key: key)]?.id {
                let isReplaced = child.conflict == .replace && tasks[holder]?.hasPlace == true
                if !isReplaced { return .refused(.duplicate) }
            }
            let others = keys.updateValue(isSkip, forKey: [child.queue, key])
            if let others, !(others && isSkip) { return .refused(.error) }
        }
        for queue in Set(request.children.map(\.queue)) {
            let more = request.children.count { $0.queue == queue && !hasHolder($0) }
            if more > 0, let refusal = refusal(ofAdding: more, to: queue, now) { return refusal }
        }
        for child in request.children where conflict(child, now) == nil {
            guard !offered.isEmpty else {
                complaints.append("a child was not added")
                return nil
            }
            _ = insert(child, offered.removeFirst(), now)
        }
        return nil
    }
}

extension Report {
    /// Something it was added AFTER did not complete.
    fileprivate static let culprit = Report(reason: "cancel", message: ownWords, next: .dead)
}

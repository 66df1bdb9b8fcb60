internal import MartletEngine
internal import MartletProtocol

/// A UNIQUE key, which is scoped to its queue.
struct KeyName: Hashable {
    var queue: Bytes
    var key: Bytes
}

/// The task that holds a key, and until when at most.
struct KeyHold {
    var id: TaskID
    var until: Timestamp?
}

/// UNIQUE: at most one task of a queue holds a key.
extension Model {
    private func name(_ task: ModelTask) -> KeyName? { task.unique.map { KeyName(queue: task.queue, key: $0.key) } }

    /// What an add answers because another task holds its key; `nil`: the key is free (now).
    mutating func conflict(_ request: AddRequest, _ now: Timestamp) -> Outcome? {
        guard let unique = request.unique else { return nil }
        let name = KeyName(queue: request.queue, key: unique.key)
        guard let holder = holds[name]?.id else { return nil }
        switch request.conflict {
        case .error: return .refused(.duplicate)
        case .skip where !request.full: return .id(holder)
        case .skip:
            let runAt = tasks[holder]?.runAt
            return .added(Added(id: holder, state: shown(holder, now), created: false, runAt: runAt))
        case .replace:
            guard tasks[holder]?.hasPlace == true else { return .refused(.duplicate) }
            holds[name] = nil
            let report = Report(reason: "cancel", message: Report.ownWords, next: .dead)
            end(holder, .cancelled, "cancel", now, report)
            return nil
        }
    }

    /// Whether another task has the key.
    func hasHolder(_ request: AddRequest) -> Bool {
        request.unique.map { holds[KeyName(queue: request.queue, key: $0.key)] != nil } ?? false
    }

    mutating func takeKey(of id: TaskID, _ now: Timestamp) {
        guard let task = tasks[id], let unique = task.unique, let name = name(task) else { return }
        holds[name] = KeyHold(id: id, until: unique.span.map { now + $0 })
    }

    /// The hand-out that freed the key is undone.
    mutating func takeKeyBack(of id: TaskID, _ now: Timestamp) {
        guard let task = tasks[id], let unique = task.unique, unique.until == .start, let name = name(task) else {
            return
        }
        let until = unique.span.map { task.enqueuedAt + $0 }
        guard holds[name] == nil, until.map({ $0 > now }) ?? true else { return }
        holds[name] = KeyHold(id: id, until: until)
    }

    /// Frees the task's key if it has it and its UNTIL says so.
    mutating func freeKey(of id: TaskID, when isFreed: (UniqueKey) -> Bool = { _ in true }) {
        guard let task = tasks[id], let unique = task.unique, let name = name(task) else { return }
        if holds[name]?.id == id, isFreed(unique) { holds[name] = nil }
    }

    /// The record goes; with it the key, unless FOR says how long that lasts.
    mutating func remove(_ id: TaskID) {
        freeKey(of: id) { $0.until != .expire || $0.span == nil }
        tellWatches(removing: id)
        tasks[id] = nil
        forgetGroups()
    }
}

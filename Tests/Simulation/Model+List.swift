internal import MartletEngine
internal import MartletProtocol

/// TASK.LIST: all of it; pages are the engine's business.
extension Model {
    func list(_ request: ListRequest, _ now: Timestamp) -> Outcome {
        guard !excludes(request) else { return .refused(.error) }
        let chosen = tasks.values.filter { request.admits($0, shown($0, now)) }.sorted { left, right in
            let (one, other) = (request.rank(left), request.rank(right))
            return one != other ? one < other : left.id < right.id
        }
        return .list((request.isReversed ? chosen.reversed() : chosen).map { sight($0, now) })
    }

    /// Whether the order has no place for the state.
    private func excludes(_ request: ListRequest) -> Bool {
        guard case .state(let state) = request.state else { return false }
        switch request.order {
        case .added: return false
        case .run: return state == .active || state.isEnded
        case .ended: return !state.isEnded
        }
    }
}

extension ListRequest {
    /// - Parameter state: the state that the task is told to be in.
    func admits(_ task: ModelTask, _ shown: TaskState) -> Bool {
        let byTime =
            switch order {
            case .added: true
            case .run: task.hasPlace
            case .ended: task.state.isEnded
            }
        let byState =
            switch state {
            case nil: true
            case .state(let state): shown == state
            case .failed: task.state == .dead || task.state == .scheduled && task.attempt > 0 && task.lastError != nil
            }
        let sight = task.sight(payload: false, history: false)
        return byTime && byState && queue.map { $0 == task.queue } ?? true && type.map { $0 == task.type } ?? true
            && tag.map(task.tags.contains) ?? true && kind.map { $0 == task.errorKind } ?? true
            && worker.map { $0 == sight.worker } ?? true && group.map { $0 == task.group } ?? true
    }

    func rank(_ task: ModelTask) -> Timestamp {
        switch order {
        case .added: 0
        case .run: task.runAt
        case .ended: task.endedAt ?? 0
        }
    }
}

internal import MartletEngine
internal import MartletProtocol

/// TASK.LIST: all of it; pages are the engine's business.
extension Model {
    func list(_ request: ListRequest) -> Outcome {
        guard !excludes(request) else { return .refused(.error) }
        let chosen = tasks.values.filter { request.admits($0) }.sorted { left, right in
            let (one, other) = (request.rank(left), request.rank(right))
            return one != other ? one < other : left.id < right.id
        }
        return .list((request.isReversed ? chosen.reversed() : chosen).map { $0.sight(payload: false, history: false) })
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
    func admits(_ task: ModelTask) -> Bool {
        let byTime =
            switch order {
            case .added: true
            case .run: task.hasPlace
            case .ended: task.state.isEnded
            }
        let byState =
            switch state {
            case nil: true
            case .state(let state): task.state == state
            case .failed: task.state == .dead || task.state == .scheduled && task.attempt > 0 && task.lastError != nil
            }
        let shown = task.sight(payload: false, history: false)
        return byTime && byState && queue.map { $0 == task.queue } ?? true && type.map { $0 == task.type } ?? true
            && tag.map(task.tags.contains) ?? true && kind.map { $0 == task.errorKind } ?? true
            && worker.map { $0 == shown.worker } ?? true && group.map { $0 == task.group } ?? true
    }

    func rank(_ task: ModelTask) -> Timestamp {
        switch order {
        case .added: 0
        case .run: task.runAt
        case .ended: task.endedAt ?? 0
        }
    }
}

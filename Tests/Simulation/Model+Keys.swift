internal import MartletEngine
internal import MartletProtocol

/// ORDER: of a queue's tasks with one key the first runs, one at a time.
extension Model {
    /// The tasks of the same key whose lives are not over, in the order in which they were added.
    private func companions(of task: ModelTask) -> [ModelTask] {
        guard let key = task.order else { return [] }
        return tasks.values.filter { $0.queue == task.queue && $0.order == key && !$0.state.isEnded }
            .sorted { $0.id < $1.id }
    }

    /// Whether another task of its key must end before this one runs.
    func isBehind(_ task: ModelTask) -> Bool {
        let others = companions(of: task).filter { $0.id != task.id }
        return others.contains { $0.state == .active || $0.id < task.id }
    }

    /// Something happened to a task: whoever may run of its key may, and nobody else.
    mutating func keepOrder(_ task: ModelTask, _ time: Timestamp) {
        let line = task.order == nil ? [tasks[task.id]].compactMap { $0 } : companions(of: task)
        for one in line where one.state != .active {
            let waits = !one.open.isEmpty || isBehind(one)
            if one.isWaiting, waits { move(one.id, .blocked, "block", time) }
            if one.state == .blocked, !waits {
                // What it waited for may have ended before it was added, and be found only now.
                let since = max(time, one.history[0].at)
                move(one.id, one.runAt > since ? .scheduled : .pending, "unblock", since)
            }
        }
    }
}

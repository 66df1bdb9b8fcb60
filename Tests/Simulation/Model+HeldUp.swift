internal import MartletEngine
internal import MartletProtocol

/// BLOCKED by its own LIMIT or the slots of its GROUP: seen by whoever looks, and nothing else changes.
extension Model {
    /// The state that a task is told to be in.
    func shown(_ task: ModelTask, _ now: Timestamp) -> TaskState {
        task.state == .pending && isHeldUp(task, now) ? .blocked : task.state
    }

    func shown(_ id: TaskID, _ now: Timestamp) -> TaskState? { tasks[id].map { shown($0, now) } }

    private func isHeldUp(_ task: ModelTask, _ now: Timestamp) -> Bool {
        if !hasGroupSlot(task) { return true }
        guard !task.limits.isEmpty, let first = first(ofLineOf: task, now) else { return false }
        var shortage: Set<Bytes> = []
        return !canPay(first, &shortage, now)
    }

    /// The task that hand-outs would try first of those that need the same limits as this one: of the highest priority,
    /// a fresh one before a retry; where groups take turns, of the group whose turn it is there.
    func first(ofLineOf task: ModelTask, _ now: Timestamp) -> ModelTask? {
        let line = tasks.values.filter {
            $0.queue == task.queue && $0.limitSet == task.limitSet && $0.isWaiting && $0.runAt <= now
        }
        guard fair.contains(task.queue) else {
            return line.filter(hasGroupSlot).min {
                ($0.priority, $0.isRetry ? 0 : 1, $1.runAt, $1.id) > ($1.priority, $1.isRetry ? 0 : 1, $0.runAt, $0.id)
            }
        }
        return firstInTurn(of: line, now)
    }
}

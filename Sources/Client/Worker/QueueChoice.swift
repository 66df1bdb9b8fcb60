import MartletProtocol

/// From which of its queues a worker takes the next task.
public enum QueueChoice: Hashable, Sendable {
    /// From all of them as if they were one: the most urgent task, then the oldest.
    case strict
    /// From the first that has a task, in the order in which the worker names them.
    case ordered
    /// By turns, so many for each queue: one weight of 1…1,000,000 for each, in the worker's order. The others take the
    /// turns of a queue that has nothing.
    case weighted([Int])
}

extension RESPCommand {
    mutating func append(_ choice: QueueChoice) {
        switch choice {
        case .strict: break
        case .ordered: append("MODE", "ORDERED")
        case .weighted(let weights):
            append("MODE", "WEIGHTED")
            for weight in weights { append(.integer(Int64(weight))) }
        }
    }
}

import MartletEngine
import MartletProtocol
import MartletStorage

extension Engine {
    /// Entries of a queue's view in its order, from the one at rank `skip` on.
    func entries<A>(
        _ view: ReservedKey.View, of queue: Bytes, skip: Int, count: Int, now: Timestamp,
        in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [ScoredTask] {
        switch view {
        case .pending: try pendingTasks(queue: queue, skip: skip, count: count, now: now, in: transaction)
        case .scheduled: try scheduledTasks(queue: queue, skip: skip, count: count, now: now, in: transaction)
        case .active: activeTasks(queue: queue, skip: skip, count: count)
        case .dead: try endedTasks(queue: queue, state: .dead, skip: skip, count: count, in: transaction)
        }
    }
}

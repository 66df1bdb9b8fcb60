import MartletEngine
import MartletProtocol
import MartletStorage

extension Broker {
    /// When the next slice of an operation is to be run, if no group of commands comes before.
    var operationInstant: Timestamp {
        guard gate.readOnly == nil, let next = store.withEngine({ $0.nextOperationInstant }) else { return .max }
        return max(next, operations.resumeAt) + (operations.isBusy ? OperationTurns.patience : 0)
    }

    /// Runs the slice whose turn it is. Nothing else may be due.
    func runOperation(
        _ engine: inout Engine, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard gate.readOnly == nil, let next = engine.nextOperationInstant, max(next, operations.resumeAt) <= now else {
            return
        }
        let since = BrokerClock.bootMicroseconds()
        operations.running = (since, 0)
        try engine.runOperation(now: now, in: transaction)
        operations.running = (since, max(0, BrokerClock.bootMicroseconds() - since))
    }

    /// The slice's group is done: with commands about, it is their turn now. A group of its own costs its flush, too.
    func yieldAfterOperation(_ now: Timestamp, ownGroup: Bool) {
        guard let slice = operations.running else { return }
        operations.running = nil
        let took = ownGroup ? max(0, BrokerClock.bootMicroseconds() - slice.since) : slice.took
        operations.ended(took: took, at: now, commands: statistics.commands)
    }

    /// The slice's group failed: it is tried again in a while.
    func postponeOperation(_ now: Timestamp) {
        operations.running = nil
        operations.resumeAt = now + 500
    }
}

import MartletEngine
import MartletProtocol
import MartletStorage

/// Operations on many tasks give way to commands: while there are any, slices take a tenth of the loop's time.
struct OperationTurns {
    /// So many times as long as a slice took, commands come first.
    static let share: Int64 = 9
    /// After so long without a slice nothing is known of commands.
    static let memory: Milliseconds = 500

    /// The next slice comes no earlier.
    var resumeAt = Timestamp.min
    /// When the slice that is running began, in microseconds; `nil`: none is.
    var startedAt: Int64?
    /// When the last slice ended, and how many commands there had been by then.
    var last: (at: Timestamp, commands: Int64) = (.min, 0)
}

extension Broker {
    /// When the next slice of an operation is to be run.
    var operationInstant: Timestamp {
        guard gate.readOnly == nil, let next = store.withEngine({ $0.nextOperationInstant }) else { return .max }
        return max(next, operations.resumeAt)
    }

    func runOperation(
        _ engine: inout Engine, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let next = engine.nextOperationInstant, max(next, operations.resumeAt) <= now else { return }
        operations.startedAt = BrokerClock.read().boot
        try engine.runOperation(now: now, in: transaction)
    }

    /// The slice is committed: with commands about, it is their turn now.
    func yieldAfterOperation(_ now: Timestamp) {
        guard let startedAt = operations.startedAt else { return }
        operations.startedAt = nil
        let isRecent = operations.last.at >= now - OperationTurns.memory
        let isBusy = isRecent && statistics.commands != operations.last.commands
        operations.last = (now, statistics.commands)
        let took = max(0, BrokerClock.read().boot - startedAt)
        operations.resumeAt = isBusy ? now + (took * (OperationTurns.share + 1) + 999) / 1_000 : now
    }
}

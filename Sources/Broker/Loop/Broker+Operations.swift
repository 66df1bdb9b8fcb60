import MartletEngine
import MartletProtocol
import MartletStorage

/// Operations on many tasks give way to commands: while there are any, slices take a sixtieth of the loop's time, in
/// groups of commands, whose flush they share. What they leave to the journal and the tables' file costs twice what
/// they do.
struct OperationTurns {
    /// So many times as long as a slice took, commands come first.
    static let share: Int64 = 59
    /// So long a slice that may come waits for a group of commands.
    static let patience: Milliseconds = 5
    /// After so long without a slice nothing is known of commands.
    static let memory: Milliseconds = 500

    /// The next slice comes no earlier.
    var resumeAt = Timestamp.min
    /// There were commands between the last slices.
    var isBusy = false
    /// When the slice that is running began, and how long it took, in microseconds; `nil`: none ran.
    var running: (since: Int64, took: Int64)?
    /// When the last slice ended, and how many commands there had been by then.
    var last: (at: Timestamp, commands: Int64) = (.min, 0)
}

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
        guard let next = engine.nextOperationInstant, max(next, operations.resumeAt) <= now else { return }
        let since = BrokerClock.bootMicroseconds()
        operations.running = (since, 0)
        try engine.runOperation(now: now, in: transaction)
        operations.running = (since, max(0, BrokerClock.bootMicroseconds() - since))
    }

    /// The slice's group is done: with commands about, it is their turn now. A group of its own costs its flush, too.
    func yieldAfterOperation(_ now: Timestamp, ownGroup: Bool) {
        guard let slice = operations.running else { return }
        operations.running = nil
        let isRecent = operations.last.at >= now - OperationTurns.memory
        operations.isBusy = isRecent && statistics.commands != operations.last.commands
        operations.last = (now, statistics.commands)
        let took = ownGroup ? max(0, BrokerClock.bootMicroseconds() - slice.since) : slice.took
        operations.resumeAt = operations.isBusy ? now + (took * (OperationTurns.share + 1) + 999) / 1_000 : now
    }

    /// The slice's group failed: it is tried again in a while.
    func postponeOperation(_ now: Timestamp) {
        operations.running = nil
        operations.resumeAt = now + 500
    }
}

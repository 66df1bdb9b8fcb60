import MartletEngine
import MartletProtocol
import MartletStorage

/// Operations on many tasks give way to commands: while those take a quarter of the loop's time or more, slices take a
/// sixtieth of it, in groups of commands, whose flush they share; what they leave to the journal and the tables' file
/// costs as much again. While commands take less, slices take as much more.
struct OperationTurns {
    /// So many times as long as a slice took, commands come first.
    static let share: Int64 = 59
    /// So long a slice that may come waits for a group of commands.
    static let patience: Milliseconds = 5

    /// The next slice comes no earlier.
    var resumeAt = Timestamp.min
    /// Commands take so much of the loop's time that slices share their groups.
    var isBusy = false
    /// When the slice that is running began, and how long it took, in microseconds; `nil`: none ran.
    var running: (since: Int64, took: Int64)?
    /// How many commands there had been when the last slice ended.
    var lastCommands: Int64 = 0
    var use = LoopUse()
}

/// How much of the loop's time commands take: measured in windows.
struct LoopUse {
    /// Microseconds of a window.
    private static let window: Int64 = 100_000
    /// From so much on, per thousand, there is no time to spare.
    private static let most: Int64 = 250

    private var since: Int64 = 0
    private var busy: Int64 = 0
    /// In the last window, per thousand.
    private var share: Int64 = 1_000

    /// 1,000: commands need the loop's time; 0: they need none.
    var pressure: Int64 { min(1_000, share * 1_000 / Self.most) }

    /// A round of the loop, between two instants in microseconds.
    mutating func add(from start: Int64, to end: Int64) {
        busy += max(0, end - start)
        guard end - since >= Self.window else { return }
        share = min(1_000, max(0, busy) * 1_000 / (end - since))
        (since, busy) = (end, 0)
    }

    /// So much of the round that is running was not for commands.
    mutating func leaveOut(_ microseconds: Int64) { busy -= microseconds }
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
        let took = ownGroup ? max(0, BrokerClock.bootMicroseconds() - slice.since) : slice.took
        operations.use.leaveOut(took)
        let pressure = statistics.commands == operations.lastCommands ? 0 : operations.use.pressure
        operations.lastCommands = statistics.commands
        operations.isBusy = pressure == 1_000
        let pause = took * OperationTurns.share * pressure / 1_000
        operations.resumeAt = pause > 0 ? now + (took + pause + 999) / 1_000 : now
    }

    /// The slice's group failed: it is tried again in a while.
    func postponeOperation(_ now: Timestamp) {
        operations.running = nil
        operations.resumeAt = now + 500
    }
}

package import MartletProtocol

/// Operations on many tasks give way to commands: while those take a quarter of the loop's time or more, slices take a
/// sixtieth of it, in groups of commands, whose flush they share; what they leave to the journal and the tables' file
/// costs as much again. While commands take less, slices take as much more.
package struct OperationTurns {
    /// So many times as long as a slice took, commands come first.
    static let share: Int64 = 59
    /// So long a slice that may come waits for a group of commands.
    static let patience: Milliseconds = 5

    /// The next slice comes no earlier.
    package internal(set) var resumeAt = Timestamp.min
    /// Commands take so much of the loop's time that slices share their groups.
    private(set) var isBusy = false
    /// When the slice that is running began, and how long it took, in microseconds; `nil`: none ran.
    var running: (since: Int64, took: Int64)?
    /// How many commands there had been when the last slice ended.
    private var lastCommands: Int64 = 0
    private var use = LoopUse()

    package init() {}

    /// A round of the loop, between two instants in microseconds.
    package mutating func round(from start: Int64, to end: Int64) { use.add(from: start, to: end) }

    /// A slice of the round that is running took so many microseconds; by now there were so many commands.
    package mutating func ended(took: Int64, at now: Timestamp, commands: Int64) {
        use.leaveOut(took)
        let pressure = commands == lastCommands ? 0 : use.pressure
        lastCommands = commands
        isBusy = pressure == LoopUse.whole
        let pause = took * Self.share * pressure / LoopUse.whole
        resumeAt = pause > 0 ? now + (took + pause + 999) / 1_000 : now
    }
}

/// How much of the loop's time commands take: measured in windows.
struct LoopUse {
    static let whole: Int64 = 1_000
    /// Microseconds of a window.
    private static let window: Int64 = 100_000
    /// From so much of a thousand on, there is no time to spare.
    private static let most: Int64 = 250

    private var since: Int64 = 0
    private var busy: Int64 = 0
    /// In the last window, of a thousand.
    private var share = whole

    /// `whole`: commands need the loop's time; 0: they need none.
    var pressure: Int64 { min(Self.whole, share * Self.whole / Self.most) }

    mutating func add(from start: Int64, to end: Int64) {
        busy += max(0, end - start)
        guard end - since >= Self.window else { return }
        share = min(Self.whole, max(0, busy) * Self.whole / (end - since))
        (since, busy) = (end, 0)
    }

    /// So much of the round that is running was not for commands.
    mutating func leaveOut(_ microseconds: Int64) { busy -= microseconds }
}

/// A worker's own view of its state, for probes.
public struct WorkerHealth: Sendable, Hashable {
    /// What it is about.
    public enum Phase: String, Sendable {
        /// `run()` was not called yet.
        case idle
        case running
        /// It rests: `WORKER.QUIET`.
        case quiet
        /// It takes nothing new and ends.
        case stopping
    }

    /// What it is about.
    public var phase: Phase
    /// Handlers that run.
    public var busy = 0
    /// Handlers that were left behind and still run.
    public var stuckHandlers = 0
    /// How long ago the broker last answered; `nil`: never.
    public var sinceBeat: Duration?
    var patience: Duration = .zero

    /// Whether it takes tasks and the broker answered within three beats.
    public var isReady: Bool { phase == .running && (sinceBeat.map { $0 <= patience } ?? false) }
}

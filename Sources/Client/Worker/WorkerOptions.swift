import FoundationEssentials

/// How a worker takes and gives back tasks.
public struct WorkerOptions: Sendable {
    /// How many tasks run at the same time; each slot has a connection of its own. At least 1.
    public var slots = 4
    /// From which of its queues it takes the next task.
    public var choice = QueueChoice.strict
    /// Overrides the tasks' own lease length.
    public var lease: Duration?
    /// How long running tasks may go on after a shutdown began; then they are cancelled and released.
    public var grace: Duration = .seconds(20)
    /// The name the broker shows, 1–256 bytes: by default host, process and a random number.
    public var name = WorkerOptions.defaultName()
    /// How long one RESERVE waits at the broker before it is asked anew.
    public var block: Duration = .seconds(60)
    /// How often it tells the broker that it lives and hears what was cancelled; more often while it holds leases
    /// shorter than three times this.
    public var beat: Duration = .seconds(10)
    /// Bounds of one attempt, unless its handler was registered with others.
    public var limits = TimeLimits()
    /// How long an interrupted handler may take to end; then its slot goes on without it.
    public var patience: Duration = .seconds(5)
    /// How many such left-behind handlers may run before the worker finishes, since only a new process gets rid of
    /// them.
    public var mostStuckHandlers = 8
    /// After so many tasks the worker finishes. `nil`: never.
    public var maxTasks: Int?
    /// When its process holds more bytes after a task, the worker finishes. `nil`: never.
    public var maxMemory: Int?
    /// When a failed attempt is made again, by the kind of error; for kinds not in it the task's own back-off holds.
    public var retries = RetryTable()
    /// Keeps a handler's log lines with the task, where `TASK.LOGS` and the dashboard show them.
    public var capturesLogs = true

    /// Four slots, and what else the properties say.
    public init() {}

    private static func defaultName() -> String {
        let process = ProcessInfo.processInfo
        return "\(process.hostName.prefix(200))-\(process.processIdentifier)-\(UInt16.random(in: .min ... .max))"
    }
}

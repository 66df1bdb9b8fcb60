import FoundationEssentials

/// How a worker takes and gives back tasks.
public struct WorkerOptions: Sendable {
    /// How many tasks run at the same time; each slot has a connection of its own. At least 1.
    public var slots = 4
    /// Overrides the tasks' own lease length.
    public var lease: Duration?
    /// How long running tasks may go on after a shutdown began; then they are cancelled and released.
    public var grace: Duration = .seconds(20)
    /// The name the broker shows, 1–256 bytes: by default host, process and a random number.
    public var name = WorkerOptions.defaultName()
    /// How long one RESERVE waits at the broker before it is asked anew.
    public var block: Duration = .seconds(60)

    public init() {}

    private static func defaultName() -> String {
        let process = ProcessInfo.processInfo
        return "\(process.hostName.prefix(200))-\(process.processIdentifier)-\(UInt16.random(in: .min ... .max))"
    }
}

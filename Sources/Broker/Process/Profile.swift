/// A use a broker is made ready for: changes the defaults of some settings, and nothing else. What is set explicitly
/// wins. Which defaults they are stands in the rows of `Setting.all`.
public enum Profile: String, CaseIterable, Sendable {
    /// Says what it does.
    case development
    /// Logs for machines.
    case production
    /// Waits a moment for more commands to share a commit.
    case highThroughput = "high-throughput"
    /// Holds less for clients that send or read slowly.
    case lowMemory = "low-memory"
}

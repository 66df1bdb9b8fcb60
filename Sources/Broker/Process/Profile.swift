/// A use a broker is made ready for: changes the defaults of some settings, and nothing else. What is set explicitly
/// wins. Which defaults they are stands in the rows of `Setting.all`.
public enum Profile: String, CaseIterable, Sendable {
    /// Says who comes and what is refused.
    case development
    /// Logs for machines.
    case production
    /// Answers before the disk has it: a power cut may take the last second, the end of the process takes nothing.
    case highThroughput = "high-throughput"
    /// Holds less for clients that send or read slowly.
    case lowMemory = "low-memory"
}

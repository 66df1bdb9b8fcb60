/// An option of a queue on a command line: `name=value`, of several words where the option takes several.
struct QueueOptionArgument {
    /// Those whose values are spans of time.
    private static let spans: Set<String> = ["LEASE", "TIMEOUT", "TTL", "KEEP", "AGING", "BACKOFF"]

    /// As QUEUE.SET takes them.
    var words: [String]

    init(_ argument: String) throws(ToolError) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { throw .usage("'\(argument)' is no option: give name=value, as fair=on") }
        let name = parts[0].uppercased()
        words = [name]
        for word in parts[1].split(separator: " ").map(String.init) {
            let span = Self.spans.contains(name) ? SpanArgument(argument: word) : nil
            words.append(span.map { "\($0.milliseconds)" } ?? word)
        }
    }
}

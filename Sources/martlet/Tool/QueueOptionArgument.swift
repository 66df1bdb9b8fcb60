import ArgumentParser

/// An option of a queue on a command line: `name=value`, of several words where the option takes several.
struct QueueOptionArgument: ExpressibleByArgument {
    /// Those whose values are spans of time.
    private static let spans: Set<String> = ["LEASE", "TIMEOUT", "TTL", "KEEP", "AGING", "BACKOFF"]

    /// As QUEUE.SET takes them.
    var words: [String]

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        let name = parts[0].uppercased()
        words = [name]
        for word in parts[1].split(separator: " ").map(String.init) {
            let span = Self.spans.contains(name) ? SpanArgument(argument: word) : nil
            words.append(span.map { "\($0.milliseconds)" } ?? word)
        }
    }
}

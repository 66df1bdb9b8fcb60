import ArgumentParser

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
        if name == "BACKOFF", let backoff = BackoffArgument(argument: String(parts[1])) {
            words = backoff.words
            return
        }
        words = [name]
        for word in parts[1].split(separator: " ").map(String.init) {
            let span = Self.spans.contains(name) ? SpanArgument(argument: word) : nil
            words.append(span.map { "\($0.milliseconds)" } ?? word)
        }
    }
}

/// How long until a retry, on a command line: `exponential 1s 5m`, `linear 5s 1m`, `fixed 10s`, `list 5s 1m 5m`.
struct BackoffArgument: ExpressibleByArgument {
    private static let spans = ["EXPONENTIAL": 2...2, "LINEAR": 2...2, "FIXED": 1...1, "LIST": 1...Int.max]

    /// As TASK.ADD takes them.
    var words: [String]

    init?(argument: String) {
        let parts = argument.split(separator: " ").map(String.init)
        let spans = parts.dropFirst().compactMap(SpanArgument.init)
        guard let kind = parts.first?.uppercased(), let range = Self.spans[kind], range.contains(spans.count),
            spans.count == parts.count - 1
        else { return nil }
        words = ["BACKOFF", kind] + (kind == "LIST" ? ["\(spans.count)"] : []) + spans.map { "\($0.milliseconds)" }
    }
}

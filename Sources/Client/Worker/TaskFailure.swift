/// An error by which a handler says what becomes of the task. Any other error means: try again as its back-off says.
public struct TaskFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What happens after the failed attempt.
    public enum Next: Hashable, Sendable {
        /// As the task's back-off and retries say.
        case backOff
        /// Again after exactly so long, if retries are left.
        case retry(after: Duration)
        /// No further attempt: a dead letter.
        case dead
    }

    /// What went wrong, for people: the first 16 KiB are kept.
    public var message: String
    /// A short name of the kind of error, to filter by: 1–256 bytes.
    public var kind: String?
    /// What follows.
    public var next: Next

    /// A failure; without more the task is tried again as its back-off says.
    public init(_ message: String, kind: String? = nil, next: Next = .backOff) {
        self.message = message
        self.kind = kind
        self.next = next
    }

    /// Again after so long, as a Retry-After header asks.
    public init(_ message: String, kind: String? = nil, retryAfter delay: Duration) {
        self.init(message, kind: kind, next: .retry(after: delay))
    }

    /// No further attempt.
    public static func dead(_ message: String, kind: String? = nil) -> TaskFailure {
        TaskFailure(message, kind: kind, next: .dead)
    }

    /// As `message`.
    public var description: String { message }
}

extension TaskFailure {
    /// What a handler threw, as the broker is to be told: the kind is the error's type, cut to what the wire allows.
    init(thrown error: any Error) {
        let failure = (error as? TaskFailure) ?? TaskFailure("\(error)", kind: "\(Swift.type(of: error))")
        self = failure
        message = Self.cut(failure.message, to: 16 * 1024)
        kind = failure.kind.map { Self.cut($0.filter { !$0.isNewline }, to: 256) }
        if kind?.isEmpty == true { kind = nil }
    }

    /// Whole characters, at most `limit` bytes.
    private static func cut(_ text: String, to limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        var kept = Substring(text.unicodeScalars.prefix(limit))
        while kept.utf8.count > limit { kept = kept.dropLast(max(1, (kept.utf8.count - limit) / 4)) }
        return String(kept)
    }
}

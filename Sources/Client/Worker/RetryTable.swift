/// When a failed attempt is made again, by the kind of error. A `TaskFailure` that says so itself goes before it.
///
///     var retries = RetryTable()
///     retries["RateLimitError"] = .after([.seconds(120), .seconds(300)])
///     retries["invalid_payload"] = .dead
public struct RetryTable: Sendable, ExpressibleByDictionaryLiteral {
    /// What follows a failure of one kind.
    public enum Rule: Sendable, Hashable {
        /// The n-th retry after the n-th delay, the last one from then on, plus up to `jitter` per cent at random.
        case after([Duration], jitter: Int = 10)
        /// No further attempt.
        case dead
    }

    private var rules: [String: Rule]

    /// No rules: each task's own back-off.
    public init() { rules = [:] }

    /// Rules by kind; of two for one kind the later one holds.
    public init(dictionaryLiteral rules: (String, Rule)...) {
        self.rules = Dictionary(rules) { _, last in last }
    }

    /// The rule of one kind; `nil`: the task's own back-off.
    public subscript(kind: String) -> Rule? {
        get { rules[kind] }
        set { rules[kind] = newValue }
    }

    /// Schedules proven with language model services, for handlers that call one. The kinds are those that
    /// `TaskFailure.http` gives.
    public static var remoteServices: RetryTable {
        [
            "InsufficientCredits": .after([.seconds(300), .seconds(600), .seconds(1_800)]),
            "RateLimitError": .after([.seconds(120), .seconds(300), .seconds(600), .seconds(1_200)]),
            "ServiceUnavailable": .after(seconds(5, 10, 30, 60, 120)),
            "NetworkTimeout": .after(seconds(2, 5, 10, 30, 60)),
            "PermanentError": .dead,
        ]
    }

    private static func seconds(_ delays: Int...) -> [Duration] { delays.map { .seconds($0) } }

    /// What the broker is to be told of a failure of attempt number `attempt` (from 1).
    func apply(
        to failure: TaskFailure, attempt: Int, using random: inout some RandomNumberGenerator
    ) -> TaskFailure {
        guard failure.next == .backOff, let rule = failure.kind.flatMap({ rules[$0] }) else { return failure }
        var failure = failure
        switch rule {
        case .dead: failure.next = .dead
        case .after(let delays, let jitter):
            guard !delays.isEmpty else { return failure }
            let delay = delays[min(max(attempt, 1), delays.count) - 1].wholeMilliseconds
            let most = Double(max(delay, 0)) * Double(min(max(jitter, 0), 100)) / 100
            failure.next = .retry(
                after: .milliseconds(max(delay, 0)) + .milliseconds(Int64.random(in: 0...Int64(most), using: &random)))
        }
        return failure
    }
}

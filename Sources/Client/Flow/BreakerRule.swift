public import MartletProtocol

/// When a breaker opens, for how long, and what closes it again.
public struct BreakerRule: Hashable, Sendable {
    /// So many failures …
    public var failures: Int
    /// … within this time open it.
    public var per: Duration
    /// So long it stays open.
    public var coolDown: Duration
    /// So many are let through then; when all of them succeeded it closes.
    public var probes: Int
    /// The kinds of failed attempts that count in a queue it is bound to; empty: all.
    public var kinds: [String]

    /// A rule; `per` and `coolDown` are at least a millisecond, `failures` and `probes` at least 1.
    public init(
        failures: Int, per: Duration, coolDown: Duration = .seconds(30), probes: Int = 1, kinds: [String] = []
    ) {
        (self.failures, self.per, self.coolDown, self.probes) = (failures, per, coolDown, probes)
        self.kinds = kinds
    }

    func append(to command: inout RESPCommand) {
        command.append("FAILS", .integer(Int64(failures)))
        command.append("PER", .integer(per.wholeMilliseconds))
        command.append("COOL", .integer(coolDown.wholeMilliseconds))
        command.append("PROBES", .integer(Int64(probes)))
        guard !kinds.isEmpty else { return }
        command.append("KINDS", .integer(Int64(kinds.count)))
        for kind in kinds { command.append(.text(kind)) }
    }
}

/// Whether a breaker lets anything through.
public enum BreakerState: String, Sendable {
    case closed
    case open
    /// A few are let through, to see how they fare.
    case halfOpen = "half_open"
}

/// How a breaker stands (`BREAKER.GET`).
public struct BreakerDetails: Sendable {
    /// The breaker's name, 1–256 bytes.
    public var name: String
    /// Whether it lets anything through.
    public var state: BreakerState
    /// When it opens and closes.
    public var rule: BreakerRule
    /// Those that count now.
    public var failures: Int
    /// When it opened, in Unix milliseconds; `nil`: it is not open.
    public var openedAt: Timestamp?
    /// When something is let through again; `nil`: now.
    public var retryAt: Timestamp?

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        name = try fields.text("name")
        state = try fields.breakerState()
        rule = BreakerRule(
            failures: try fields.count("fails"), per: .milliseconds(try fields.integer("per")),
            coolDown: .milliseconds(try fields.integer("cool")), probes: try fields.count("probes"),
            kinds: (fields.optional("kinds")?.elements ?? []).compactMap(\.text))
        failures = try fields.count("failures")
        openedAt = fields.optional("opened_at")?.integer
        retryAt = fields.optional("retry_at")?.integer
    }
}

extension ReplyFields {
    func breakerState() throws(MartletError) -> BreakerState {
        guard let state = BreakerState(rawValue: try text("state")) else { throw Self.wrong("state") }
        return state
    }
}

import MartletProtocol

/// What a limit lets through.
public enum LimitRule: Hashable, Sendable {
    /// So many tokens in any `per`, at most `burst` of them at once; `nil`: as many as in one `per`.
    case rate(Int, per: Duration, burst: Int? = nil)
    /// So many at a time.
    case slots(Int)

    func append(to command: inout RESPCommand) {
        switch self {
        case .rate(let rate, let per, let burst):
            command.append("RATE", .integer(Int64(rate)))
            command.append("PER", .integer(per.wholeMilliseconds))
            if let burst { command.append("BURST", .integer(Int64(burst))) }
        case .slots(let slots): command.append("SLOTS", .integer(Int64(slots)))
        }
    }
}

/// How a limit stands (`LIMIT.GET`).
public struct LimitDetails: Sendable {
    /// The limit's name, 1–256 bytes.
    public var name: String
    /// What it lets through.
    public var rule: LimitRule
    /// What could be taken now.
    public var available: Int
    /// Those who wait for it: blocked callers, and due tasks that name it or whose queue is bound to it.
    public var waiting: Int
    /// How often something was taken.
    public var granted: Int
    /// How often there was nothing to take.
    public var refused: Int
    /// The share of what it lets through that was taken, 0…1.
    public var utilisation: Double

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        name = try fields.text("name")
        if let slots = fields.number("slots") {
            rule = .slots(slots)
        } else {
            let per = Duration.milliseconds(try fields.integer("per"))
            rule = .rate(try fields.count("rate"), per: per, burst: try fields.count("burst"))
        }
        available = try fields.count("available")
        waiting = try fields.count("waiting")
        granted = try fields.count("granted")
        refused = try fields.count("refused")
        utilisation = try fields.double("utilisation")
    }
}

/// What became of a `take`.
public struct LimitAnswer: Hashable, Sendable {
    /// Whether it was taken; if not, nothing was.
    public var isGranted: Bool
    /// The most there ever is at once.
    public var limit: Int
    /// What is left.
    public var remaining: Int
    /// When to ask again, if it was not granted.
    public var retryAfter: Duration?
    /// Until everything is there again.
    public var fullAfter: Duration
    /// Of a limit with slots: what gives them back.
    var permit: Int64?

    init(_ value: RESPValue) throws(MartletError) {
        let numbers = (value.elements ?? []).compactMap(\.integer)
        guard numbers.count >= 5, let limit = Int(exactly: numbers[1]), let remaining = Int(exactly: numbers[2])
        else { throw .decoding("not the answer of a limit") }
        (self.limit, self.remaining) = (limit, remaining)
        isGranted = numbers[0] == 0
        retryAfter = isGranted ? nil : .milliseconds(max(numbers[3], 1))
        fullAfter = .milliseconds(max(numbers[4], 0))
        permit = numbers.count > 5 ? numbers[5] : nil
    }
}

import MartletProtocol

/// A look at the reserved keys, or at the whole.
enum Inspection {
    case info([String])
    case type(Bytes)
    /// In so many milliseconds.
    case timeToLive(Bytes, unit: Milliseconds)
    case exists([Bytes])
    case hash(Bytes)
    case hashField(Bytes, field: Bytes)
    case hashLength(Bytes)
    /// ZRANGE by rank, both ends included; negative: from the end.
    case sorted(Bytes, from: Int64, to: Int64, scores: Bool)
    case sortedCount(Bytes)
    case list(Bytes, from: Int64, to: Int64)
    case listLength(Bytes)
    case members(Bytes)
    case memberCount(Bytes)
    case string(Bytes)
    case memory(Bytes)
    case textCount
    case stream(StreamLook)
    case broker
    case keys(Glob)
    case scan(cursor: Bytes, pattern: Glob?, count: Int, type: String?)
}

/// How much one look may cost.
enum InspectionLimits {
    /// The most entries one range gives.
    static let range = 10_000
    /// How far from the start a range may begin: entries before it are passed one by one.
    static let skip = 100_000
    /// The most tasks one page of SCAN looks at.
    static let scan = 10_000
    /// After so many bytes of plain keys and what they hold a page of SCAN ends.
    static let scanBytes = 4 << 20
    /// The most plain keys, and bytes of them and what they hold, that KEYS looks through.
    static let keys = 100_000
    static let keysBytes = 64 << 20
}

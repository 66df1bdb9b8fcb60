/// The bounds of one request on the wire, checked before anything is allocated for it.
public struct RequestLimits: Hashable, Sendable {
    /// Most arguments of one request, the command's name included.
    public var arguments: Int64 = 1_048_576
    /// The longest bulk string the grammar knows: 512 MiB. Past it the connection ends.
    public var bulk: Int64 = 512 * 1024 * 1024
    /// The longest argument that is kept. A longer one is skipped and the request is `.tooBig`.
    public var argument: Int64 = Int64(Limits.payload) + 64 * 1024
    /// The longest request that is kept. A longer one is skipped and is `.tooBig`.
    public var request: Int = 32 * 1024 * 1024
    /// The longest inline command, and the longest header line.
    public var line: Int = 64 * 1024

    public init() {}

    /// What a client that has not authenticated may send.
    public static let unauthenticatedArguments: Int64 = 10
    /// The longest bulk string of a client that has not authenticated.
    public static let unauthenticatedBulk: Int64 = 16_384
}

/// The bytes are not RESP: the connection is told why and ends. The texts are those of Redis 7.0.
public enum ProtocolViolation: Error, Hashable, Sendable {
    case invalidMultibulkLength
    case invalidBulkLength
    case expectedDollar(UInt8)
    case missingLineEnd
    case tooBigInline
    case tooBigCount
    case tooBigBulkCount
    case unbalancedQuotes
    case unauthenticatedMultibulk
    case unauthenticatedBulk

    /// The text of the error line after `-`.
    public var message: String { "ERR Protocol error: \(detail)" }

    private var detail: String {
        switch self {
        case .invalidMultibulkLength: "invalid multibulk length"
        case .invalidBulkLength: "invalid bulk length"
        case .expectedDollar(let byte): "expected '$', got '\(Self.printable(byte))'"
        case .missingLineEnd: "expected CRLF after a bulk string"
        case .tooBigInline: "too big inline request"
        case .tooBigCount: "too big mbulk count string"
        case .tooBigBulkCount: "too big bulk count string"
        case .unbalancedQuotes: "unbalanced quotes in request"
        case .unauthenticatedMultibulk: "unauthenticated multibulk length"
        case .unauthenticatedBulk: "unauthenticated bulk length"
        }
    }

    /// Redis prints the raw byte, which may be a line end; those that are not printable become a space here.
    private static func printable(_ byte: UInt8) -> Character {
        (0x20..<0x7F).contains(byte) ? Character(UnicodeScalar(byte)) : " "
    }
}

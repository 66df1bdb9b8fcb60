/// A command's or an option's name: at most 16 bytes, compared without regard to ASCII case and without allocation.
///
/// The upper-cased bytes stand in two integers, the first byte on top, zeros behind:
///
///     "task.add"  ->  high "TASK.ADD"  low 0
///
/// What cannot be a keyword (empty, longer than 16 bytes, with a zero byte) is `.none` and equals no named one.
public struct Keyword: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    /// What is not a keyword.
    public static let none = Keyword(high: 0, low: 0)

    @inline(__always)
    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The keyword named `name`.
    public init(_ name: String) {
        var halves: (UInt64, UInt64) = (0, 0)
        let bytes = Array(name.utf8)
        guard (1...16).contains(bytes.count) else {
            self = .none
            return
        }
        for (position, byte) in bytes.enumerated() { Self.put(byte, at: position, in: &halves) }
        self.init(high: halves.0, low: halves.1)
    }

    /// The keyword in `count` bytes of `span` from `start` on.
    init(_ span: Span<UInt8>, start: Int, count: Int) {
        guard count >= 1, count <= 16 else {
            self.init(high: 0, low: 0)
            return
        }
        let (above, below) = (min(8, count), max(0, count - 8))
        let (high, low) = (span.word(start, count: above), span.word(start + 8, count: below))
        guard !Digits.hasZero(high, first: above), !Digits.hasZero(low, first: below) else {
            self.init(high: 0, low: 0)
            return
        }
        self.init(high: Digits.upperCased(high), low: Digits.upperCased(low))
    }

    @inline(__always)
    private static func put(_ byte: UInt8, at position: Int, in halves: inout (UInt64, UInt64)) {
        let lower = byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
        let value = UInt64(lower ? byte & 0xDF : byte)
        if position < 8 {
            halves.0 |= value << UInt64(56 - position * 8)
        } else {
            halves.1 |= value << UInt64(120 - position * 8)
        }
    }

    /// The value of a hexadecimal digit, either case.
    static func hexDigit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}

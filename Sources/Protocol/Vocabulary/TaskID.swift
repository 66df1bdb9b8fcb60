/// The identity of a task: a UUID of version 7 (RFC 9562), made by the broker, strictly increasing.
///
/// The text form (36 characters, lower case) sorts as the tasks were added:
///
///     0199d3a1-7c40-7 000-8 1 f3-5b0c9e2a7d41
///     └ ms: 48 bits ┘ └─┬─┘ │ └ check: 58 bits ┘
///                       └───┴ counter in that millisecond: 12 + 4 bits
///
/// The check bits are derived from the rest and a secret of the data directory, so an id cannot be guessed and needs
/// no storage: `sequence` alone is the key under which everything about the task is kept.
public struct TaskID: Hashable, Sendable {
    /// Milliseconds (48 bits), version 7 (4 bits), the counter's upper 12 bits.
    public let high: UInt64
    /// Variant (2 bits), the counter's lower 4 bits, 58 check bits.
    public let low: UInt64

    static let checkMask: UInt64 = (1 << 58) - 1

    /// Joins a sequence (`milliseconds << 16 | counter`) with the lower 58 bits of `check`.
    public init(sequence: UInt64, check: UInt64) {
        high = (sequence & ~0xFFFF) | 0x7000 | (sequence >> 4 & 0xFFF)
        low = 0x8000_0000_0000_0000 | (sequence & 0xF) << 58 | check & Self.checkMask
    }

    /// `milliseconds << 16 | counter`: strictly increasing, the storage key.
    public var sequence: UInt64 { (high & ~0xFFFF) | (high & 0xFFF) << 4 | low >> 58 & 0xF }

    /// The 58 check bits.
    public var check: UInt64 { low & Self.checkMask }
}

extension TaskID: Comparable {
    public static func < (left: TaskID, right: TaskID) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}

extension TaskID: CustomStringConvertible {
    /// How many bytes the text form has.
    public static let textLength = 36

    /// Parses the text form, either case; `nil` unless it is a UUID of version 7 with the RFC's variant.
    public init?(_ text: some Collection<UInt8>) {
        guard text.count == Self.textLength else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for (position, byte) in text.enumerated() {
            if position == 8 || position == 13 || position == 18 || position == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = Self.hexDigit(byte) else { return nil }
            if digits < 16 { halves.0 = halves.0 << 4 | digit } else { halves.1 = halves.1 << 4 | digit }
            digits += 1
        }
        guard halves.0 >> 12 & 0xF == 7, halves.1 >> 62 == 2 else { return nil }
        (high, low) = halves
    }

    public init?(_ text: String) { self.init(text.utf8) }

    /// The sequences of all ids whose text begins with `prefix`, or some more; `nil`: no id begins so. Of a prefix the
    /// first sixteen digits count: what follows them is no order.
    public static func sequences(prefix: some Collection<UInt8>) -> ClosedRange<UInt64>? {
        var (low, count) = (UInt64(0), 0)
        for (position, byte) in prefix.enumerated() where count < 16 {
            if position == 8 || position == 13 || position == 18 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = hexDigit(byte) else { return nil }
            // The thirteenth is the version.
            guard count != 12 || digit == 7 else { return nil }
            (low, count) = (low << 4 | digit, count + 1)
        }
        guard count > 0 else { return 0...(.max) }
        let open = UInt64(64 - 4 * count)
        low = open == 0 ? low : low << open
        let high = open == 0 ? low : low | (1 << open - 1)
        let first = (low & ~0xFFFF) | (low & 0xFFF) << 4
        return first...((high & ~0xFFFF) | (high & 0xFFF) << 4 | 0xF)
    }

    /// The text form as ASCII bytes, one at a time: no allocation.
    public func forEachByte(_ body: (UInt8) -> Void) {
        for position in 0..<32 {
            if position == 8 || position == 12 || position == 16 || position == 20 { body(UInt8(ascii: "-")) }
            let half = position < 16 ? high : low
            let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - position % 16 * 4) & 0xF)
            body(digit < 10 ? digit + UInt8(ascii: "0") : digit + (UInt8(ascii: "a") - 10))
        }
    }

    public var text: Bytes {
        var bytes = Bytes()
        bytes.reserveCapacity(Self.textLength)
        forEachByte { bytes.append($0) }
        return bytes
    }

    public var description: String { String(decoding: text, as: UTF8.self) }

    private static func hexDigit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}

import NIOCore

/// How a job's number stands in its payload: twelve decimal digits, zeros in front.
enum JobNumber {
    static let digits = 12

    /// Appends `number`, 0 ..< 10^12, without allocating.
    static func write(_ number: Int, to buffer: inout ByteBuffer) {
        buffer.writeInteger(eightDigits(number / 10_000))
        buffer.writeInteger(UInt32(truncatingIfNeeded: eightDigits(number % 10_000)))
    }

    /// The number at the start of `bytes[range]`; `nil` unless twelve digits stand there.
    static func read(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        guard range.count >= digits else { return nil }
        return decimal(bytes, range.lowerBound..<range.lowerBound + digits)
    }

    /// The non-negative number `bytes[range]` spells; `nil` when it is none or has more than 18 digits.
    static func decimal(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        guard (1...18).contains(range.count), range.upperBound <= bytes.count else { return nil }
        var number = 0
        for position in range {
            let digit = bytes[position] &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            number = number &* 10 &+ Int(digit)
        }
        return number
    }

    /// The last eight decimal digits as ASCII, the first of them in the highest byte.
    private static func eightDigits(_ number: Int) -> UInt64 {
        var rest = number
        var packed: UInt64 = 0
        for shift in 0..<8 {
            packed |= UInt64(rest % 10 + 48) << UInt64(shift * 8)
            rest /= 10
        }
        return packed
    }
}

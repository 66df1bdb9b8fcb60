/// Decimal integers on the wire.
enum Decimal {
    /// Reads `span[start..<end]` as Redis does: no sign but `-`, no leading zero, no blank. `nil`: not an integer, or
    /// out of the range of 64 bits.
    static func parse(_ span: Span<UInt8>, start: Int, end: Int) -> Int64? {
        var position = start
        guard position < end, end - position <= 20 else { return nil }
        let negative = span[position] == UInt8(ascii: "-")
        if negative { position += 1 }
        guard position < end else { return nil }
        if span[position] == UInt8(ascii: "0") { return end - position == 1 && !negative ? 0 : nil }
        // Summed downwards, because the smallest integer has no positive counterpart.
        var value: Int64 = 0
        while position < end {
            let digit = span[position] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (difference, underflow) = product.subtractingReportingOverflow(Int64(digit))
            guard !overflow, !underflow else { return nil }
            value = difference
            position += 1
        }
        if negative { return value }
        return value == Int64.min ? nil : -value
    }
}

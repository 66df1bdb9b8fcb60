import NIOCore

extension ReplyWriter {
    public mutating func array(_ count: Int) { header(UInt8(ascii: "*"), Int64(count)) }

    /// `count` pairs follow. RESP2 has no maps: a flat array of twice as many.
    public mutating func map(_ count: Int) {
        version == .two
            ? header(UInt8(ascii: "*"), Int64(count) * 2) : header(UInt8(ascii: "%"), Int64(count))
    }

    /// `count` members follow, each once.
    public mutating func set(_ count: Int) {
        header(version == .two ? UInt8(ascii: "*") : UInt8(ascii: "~"), Int64(count))
    }

    /// A message the client did not ask for. Only RESP3 clients can tell it from a reply.
    public mutating func push(_ count: Int) {
        header(version == .two ? UInt8(ascii: "*") : UInt8(ascii: ">"), Int64(count))
    }

    /// Text with its three-letter format, `txt` or `mkd`; RESP2: a bulk string.
    public mutating func verbatim(_ text: String, format: StaticString = "txt") {
        guard version == .three else { return bulk(text) }
        header(UInt8(ascii: "="), Int64(text.utf8.count + 4))
        buffer.writeStaticString(format)
        buffer.writeInteger(UInt8(ascii: ":"))
        buffer.writeString(text)
        raw("\r\n")
    }

    /// `kind`, a decimal integer, CRLF.
    @inline(__always)
    mutating func header(_ kind: UInt8, _ value: Int64) {
        buffer.writeWithOutputRawSpan(minimumWritableBytes: 24) { span in
            span.append(kind)
            Self.append(value, to: &span)
        }
    }

    /// The decimal digits of `value` and CRLF: at most 22 bytes.
    static func append(_ value: Int64, to span: inout OutputRawSpan) {
        if value < 0 { span.append(UInt8(ascii: "-")) }
        let magnitude = value.magnitude
        let ten16: UInt64 = 10_000_000_000_000_000
        if magnitude < ten16 {
            append(magnitude, least: 1, to: &span)
        } else {
            append(magnitude / ten16, least: 1, to: &span)
            append(magnitude % ten16, least: 16, to: &span)
        }
        span.append(UInt8(ascii: "\r"))
        span.append(UInt8(ascii: "\n"))
    }

    /// At most 16 digits, at least `least`: gathered from the last on, four bits each, then written from the first on.
    @inline(__always)
    private static func append(_ value: UInt64, least: Int, to span: inout OutputRawSpan) {
        var (rest, digits, count) = (value, UInt64(0), 0)
        while rest > 0 || count < least {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            digits |= digit &<< UInt64(count &* 4)
            rest = quotient
            count &+= 1
        }
        while count > 0 {
            count &-= 1
            span.append(UInt8(truncatingIfNeeded: digits &>> UInt64(count &* 4) & 0xF) &+ UInt8(ascii: "0"))
        }
    }

    /// How many characters `value` has in decimal, the sign included.
    static func digits(_ value: Int64) -> Int {
        var count = value < 0 ? 2 : 1
        var magnitude = value.magnitude
        while magnitude >= 10 {
            magnitude /= 10
            count += 1
        }
        return count
    }
}

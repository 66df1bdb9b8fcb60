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
        raw(format)
        bytes.append(UInt8(ascii: ":"))
        bytes += text.utf8
        raw("\r\n")
    }

    /// `kind`, a decimal integer, CRLF.
    @inline(__always)
    mutating func header(_ kind: UInt8, _ value: Int64) {
        bytes.append(addingCapacity: 24) { (text: inout OutputSpan<UInt8>) in
            text.append(kind)
            Self.append(value, to: &text)
        }
    }

    /// The decimal digits of `value` and CRLF: at most 22 bytes.
    static func append(_ value: Int64, to text: inout OutputSpan<UInt8>) {
        if value < 0 { text.append(UInt8(ascii: "-")) }
        let magnitude = value.magnitude
        let ten16: UInt64 = 10_000_000_000_000_000
        if magnitude < ten16 {
            append(magnitude, least: 1, to: &text)
        } else {
            append(magnitude / ten16, least: 1, to: &text)
            append(magnitude % ten16, least: 16, to: &text)
        }
        text.append(UInt8(ascii: "\r"))
        text.append(UInt8(ascii: "\n"))
    }

    /// At most 16 digits, at least `least`: gathered from the last on, four bits each, then written from the first on.
    @inline(__always)
    private static func append(_ value: UInt64, least: Int, to text: inout OutputSpan<UInt8>) {
        var (rest, digits, count) = (value, UInt64(0), 0)
        while rest > 0 || count < least {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            digits |= digit &<< UInt64(count &* 4)
            rest = quotient
            count &+= 1
        }
        while count > 0 {
            count &-= 1
            text.append(UInt8(truncatingIfNeeded: digits &>> UInt64(count &* 4) & 0xF) &+ UInt8(ascii: "0"))
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

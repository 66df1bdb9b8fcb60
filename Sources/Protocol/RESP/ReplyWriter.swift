/// The version of the wire protocol a client chose with HELLO.
public enum RESPVersion: Int, Sendable {
    case two = 2
    case three = 3
}

/// Writes replies, as the client's protocol version has them. Never fails, never allocates per value.
public struct ReplyWriter: Sendable {
    /// What was written.
    public var bytes: Bytes
    public var version: RESPVersion

    public init(bytes: Bytes = [], version: RESPVersion = .two) {
        self.bytes = bytes
        self.version = version
    }

    /// Bytes that are already RESP.
    @inline(__always)
    public mutating func raw(_ encoded: StaticString) {
        unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: encoded.utf8Start, count: encoded.utf8CodeUnitCount))
    }

    /// Forgets what was written after the first `count` bytes.
    public mutating func cut(to count: Int) { bytes.removeLast(bytes.count - count) }

    public mutating func ok() { raw("+OK\r\n") }

    /// `text` has neither CR nor LF.
    public mutating func simple(_ text: String) {
        bytes.append(UInt8(ascii: "+"))
        line(text)
    }

    /// An error line: `text` begins with its code. A CR or LF in it becomes a blank.
    public mutating func error(_ text: String) {
        bytes.append(UInt8(ascii: "-"))
        line(text)
    }

    public mutating func error(_ refusal: CommandError) { error(refusal.description) }

    public mutating func integer(_ value: Int64) { header(UInt8(ascii: ":"), value) }

    public mutating func bulk(_ content: Bytes) {
        header(UInt8(ascii: "$"), Int64(content.count))
        bytes += content
        raw("\r\n")
    }

    public mutating func bulk(_ text: String) {
        header(UInt8(ascii: "$"), Int64(text.utf8.count))
        bytes += text.utf8
        raw("\r\n")
    }

    /// A bulk string of ASCII that is known when compiling: a field's name.
    public mutating func bulk(_ text: StaticString) {
        header(UInt8(ascii: "$"), Int64(text.utf8CodeUnitCount))
        raw(text)
        raw("\r\n")
    }

    public mutating func bulk(_ id: TaskID) {
        raw("$36\r\n")
        bytes.append(addingCapacity: TaskID.textLength + 2) { (text: inout OutputSpan<UInt8>) in
            for position in 0..<32 {
                if position == 8 || position == 12 || position == 16 || position == 20 {
                    text.append(UInt8(ascii: "-"))
                }
                let half = position < 16 ? id.high : id.low
                let digit = UInt8(truncatingIfNeeded: half &>> UInt64(60 &- (position & 15) &* 4) & 0xF)
                text.append(digit < 10 ? digit + UInt8(ascii: "0") : digit + (UInt8(ascii: "a") - 10))
            }
            text.append(UInt8(ascii: "\r"))
            text.append(UInt8(ascii: "\n"))
        }
    }

    /// An integer as the text of a bulk string.
    public mutating func bulk(integer value: Int64) {
        header(UInt8(ascii: "$"), Int64(Self.digits(value)))
        bytes.append(addingCapacity: 24) { (text: inout OutputSpan<UInt8>) in Self.append(value, to: &text) }
    }

    public mutating func null() { version == .two ? raw("$-1\r\n") : raw("_\r\n") }

    /// What RESP2 has for "nothing" where an array is expected.
    public mutating func nullArray() { version == .two ? raw("*-1\r\n") : raw("_\r\n") }

    public mutating func boolean(_ value: Bool) {
        switch (version, value) {
        case (.two, true): raw(":1\r\n")
        case (.two, false): raw(":0\r\n")
        case (.three, true): raw("#t\r\n")
        case (.three, false): raw("#f\r\n")
        }
    }

    /// Finite, or infinite as `inf`/`-inf`.
    public mutating func double(_ value: Double) {
        let text = value.isInfinite ? (value < 0 ? "-inf" : "inf") : Self.text(value)
        guard version == .three else { return bulk(text) }
        bytes.append(UInt8(ascii: ","))
        line(text)
    }

    /// A number as Redis prints it: no fraction where there is none.
    static func text(_ value: Double) -> String {
        if let whole = Int64(exactly: value), abs(value) < 1e17 { return String(whole) }
        return value.isNaN ? "nan" : "\(value)"
    }

    private mutating func line(_ text: String) {
        if text.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A }) {
            bytes += String(text.map { $0.isNewline ? " " : $0 }).utf8
        } else {
            bytes += text.utf8
        }
        raw("\r\n")
    }
}

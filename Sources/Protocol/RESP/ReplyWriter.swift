public import NIOCore

/// The version of the wire protocol a client chose with HELLO.
public enum RESPVersion: Int, Sendable {
    case two = 2
    case three = 3
}

/// Writes replies into a buffer, as the client's protocol version has them. Never fails, never allocates per value.
public struct ReplyWriter: Sendable {
    public var buffer: ByteBuffer
    public var version: RESPVersion

    public init(buffer: ByteBuffer = ByteBuffer(), version: RESPVersion = .two) {
        self.buffer = buffer
        self.version = version
    }

    /// Bytes that are already RESP.
    @inline(__always)
    public mutating func raw(_ encoded: StaticString) { buffer.writeStaticString(encoded) }

    public mutating func ok() { raw("+OK\r\n") }

    /// `text` has neither CR nor LF.
    public mutating func simple(_ text: String) {
        buffer.writeInteger(UInt8(ascii: "+"))
        line(text)
    }

    /// An error line: `text` begins with its code. A CR or LF in it becomes a blank.
    public mutating func error(_ text: String) {
        buffer.writeInteger(UInt8(ascii: "-"))
        line(text)
    }

    public mutating func error(_ refusal: CommandError) { error(refusal.description) }

    public mutating func integer(_ value: Int64) { header(UInt8(ascii: ":"), value) }

    public mutating func bulk(_ bytes: Bytes) {
        header(UInt8(ascii: "$"), Int64(bytes.count))
        buffer.writeBytes(bytes)
        raw("\r\n")
    }

    public mutating func bulk(_ bytes: ByteBuffer) {
        header(UInt8(ascii: "$"), Int64(bytes.readableBytes))
        buffer.writeImmutableBuffer(bytes)
        raw("\r\n")
    }

    public mutating func bulk(_ text: String) {
        header(UInt8(ascii: "$"), Int64(text.utf8.count))
        buffer.writeString(text)
        raw("\r\n")
    }

    /// A bulk string of ASCII that is known when compiling: a field's name.
    public mutating func bulk(_ text: StaticString) {
        header(UInt8(ascii: "$"), Int64(text.utf8CodeUnitCount))
        buffer.writeStaticString(text)
        raw("\r\n")
    }

    public mutating func bulk(_ id: TaskID) {
        raw("$36\r\n")
        buffer.writeWithOutputRawSpan(minimumWritableBytes: TaskID.textLength + 2) { span in
            for position in 0..<32 {
                if position == 8 || position == 12 || position == 16 || position == 20 {
                    span.append(UInt8(ascii: "-"))
                }
                let half = position < 16 ? id.high : id.low
                let digit = UInt8(truncatingIfNeeded: half &>> UInt64(60 &- (position & 15) &* 4) & 0xF)
                span.append(digit < 10 ? digit + UInt8(ascii: "0") : digit + (UInt8(ascii: "a") - 10))
            }
            span.append(UInt8(ascii: "\r"))
            span.append(UInt8(ascii: "\n"))
        }
    }

    /// An integer as the text of a bulk string.
    public mutating func bulk(integer value: Int64) {
        header(UInt8(ascii: "$"), Int64(Self.digits(value)))
        buffer.writeWithOutputRawSpan(minimumWritableBytes: 24) { span in Self.append(value, to: &span) }
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
        buffer.writeInteger(UInt8(ascii: ","))
        line(text)
    }

    /// A number as Redis prints it: no fraction where there is none.
    static func text(_ value: Double) -> String {
        if let whole = Int64(exactly: value), abs(value) < 1e17 { return String(whole) }
        return value.isNaN ? "nan" : "\(value)"
    }

    private mutating func line(_ text: String) {
        if text.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A }) {
            buffer.writeString(String(text.map { $0.isNewline ? " " : $0 }))
        } else {
            buffer.writeString(text)
        }
        raw("\r\n")
    }
}

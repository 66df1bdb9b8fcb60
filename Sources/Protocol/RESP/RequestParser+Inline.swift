import NIOCore

extension RequestParser {
    /// Reads a line of words, as somebody with telnet types it.
    mutating func scanInline(_ span: Span<UInt8>) -> Step {
        var end = position + scanned
        while end < span.count, span[end] != UInt8(ascii: "\n") {
            end += 1
            if end - position > limits.line { return .failed(.tooBigInline) }
        }
        guard end < span.count else {
            scanned = end - position
            return .incomplete
        }
        scanned = 0
        var last = end
        if last > position, span[last - 1] == UInt8(ascii: "\r") { last -= 1 }
        var words = InlineWords(start: position, end: last)
        guard words.split(span) else { return .failed(.unbalancedQuotes) }
        position = end + 1
        guard !words.ranges.isEmpty else { return .nothing }
        guard isAuthenticated || words.ranges.count <= Int(RequestLimits.unauthenticatedArguments) else {
            return .failed(.unauthenticatedMultibulk)
        }
        ranges = words.ranges
        inline = ByteBuffer(bytes: words.bytes)
        remaining = 0
        return .done
    }
}

/// Splits a line into words as Redis does: blanks between them, `"…"` with escapes (`\n \r \t \b \a \xHH \c`), `'…'`
/// with `\'` only. A closing quote must end its word.
struct InlineWords {
    private var position: Int
    private let end: Int
    private(set) var bytes: Bytes = []
    private(set) var ranges: [ArgumentRange] = []

    init(start: Int, end: Int) {
        (position, self.end) = (start, end)
    }

    /// `false`: a quote is not closed, or is followed by something other than a blank.
    mutating func split(_ span: Span<UInt8>) -> Bool {
        while true {
            while position < end, Self.isBlank(span[position]) { position += 1 }
            guard position < end else { return true }
            let start = bytes.count
            guard word(span) else { return false }
            ranges.append(ArgumentRange(start: start, count: bytes.count - start))
        }
    }

    private mutating func word(_ span: Span<UInt8>) -> Bool {
        while position < end {
            let byte = span[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return quoted(span, by: byte)
            case UInt8(ascii: "'"): return quoted(span, by: byte)
            case _ where Self.isBlank(byte): return true
            default: bytes.append(byte)
            }
        }
        return true
    }

    private mutating func quoted(_ span: Span<UInt8>, by quote: UInt8) -> Bool {
        while position < end {
            let byte = span[position]
            position += 1
            if byte == quote { return position == end || Self.isBlank(span[position]) }
            guard byte == UInt8(ascii: "\\"), position < end else {
                bytes.append(byte)
                continue
            }
            if quote == UInt8(ascii: "\"") {
                escape(span)
            } else if span[position] == quote {
                bytes.append(quote)
                position += 1
            } else {
                bytes.append(byte)
            }
        }
        return false
    }

    private mutating func escape(_ span: Span<UInt8>) {
        let byte = span[position]
        if byte == UInt8(ascii: "x"), position + 2 < end, let high = Keyword.hexDigit(span[position + 1]),
            let low = Keyword.hexDigit(span[position + 2])
        {
            bytes.append(UInt8(high << 4 | low))
            position += 3
            return
        }
        position += 1
        switch byte {
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "a"): bytes.append(0x07)
        default: bytes.append(byte)
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte) || byte == 0
    }
}

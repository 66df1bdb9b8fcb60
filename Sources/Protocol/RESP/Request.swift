import NIOCore

/// Where one argument lies, in bytes from the first byte of its request.
public struct ArgumentRange: Hashable, Sendable {
    public var start: UInt32
    public var count: UInt32

    public init(start: Int, count: Int) {
        self.start = UInt32(clamping: start)
        self.count = UInt32(clamping: count)
    }
}

/// One complete request: ranges into the buffer it arrived in. Nothing is copied until an argument is asked for.
public struct Request: Sendable {
    /// Its reader index is the request's first byte.
    let buffer: ByteBuffer
    let ranges: [ArgumentRange]

    init(buffer: ByteBuffer, ranges: [ArgumentRange]) {
        self.buffer = buffer
        self.ranges = ranges
    }

    /// Joins `arguments` to a request, as the parser would have found it.
    public init(_ arguments: [Bytes]) {
        var buffer = ByteBuffer()
        var ranges: [ArgumentRange] = []
        for argument in arguments {
            ranges.append(ArgumentRange(start: buffer.readableBytes, count: argument.count))
            buffer.writeBytes(argument)
        }
        self.init(buffer: buffer, ranges: ranges)
    }

    /// How many arguments, the command's name included.
    public var count: Int { ranges.count }

    /// How many bytes argument `index` has.
    public func length(_ index: Int) -> Int { Int(ranges[index].count) }

    /// How many bytes all arguments have.
    public var argumentBytes: Int { ranges.reduce(0) { $0 + Int($1.count) } }

    /// A copy of argument `index`.
    public func bytes(_ index: Int) -> Bytes {
        let range = ranges[index]
        return buffer.getBytes(at: buffer.readerIndex + Int(range.start), length: Int(range.count)) ?? []
    }

    /// A copy of the first `count` bytes of argument `index`, which has as many.
    public func bytes(_ index: Int, first count: Int) -> Bytes {
        buffer.getBytes(at: buffer.readerIndex + Int(ranges[index].start), length: min(count, length(index))) ?? []
    }

    /// Argument `index` as text for a message: at most `limit` bytes, without control characters.
    public func text(_ index: Int, limit: Int = 128) -> String {
        Self.printable(bytes(index), limit: limit)
    }

    /// Argument `index` as a keyword: upper case, at most 16 bytes; a longer one equals no keyword.
    public func keyword(_ index: Int) -> Keyword {
        let range = ranges[index]
        return Keyword(buffer.readableBytesUInt8Span, start: Int(range.start), count: Int(range.count))
    }

    /// Argument `index` as a decimal 64-bit integer, as Redis reads one: no sign but `-`, no leading zero, no blank.
    public func integer(_ index: Int) -> Int64? {
        let range = ranges[index]
        return Decimal.parse(
            buffer.readableBytesUInt8Span, start: Int(range.start), end: Int(range.start) + Int(range.count))
    }

    /// Argument `index` as a task id; `nil`: it is not the text of one.
    public func taskID(_ index: Int) -> TaskID? {
        let range = ranges[index]
        guard Int(range.count) == TaskID.textLength else { return nil }
        return TaskID(buffer.readableBytesUInt8Span, start: Int(range.start))
    }

    /// `bytes` as text that is safe in an error line: cut at `limit` bytes, every control character a space.
    public static func printable(_ bytes: some Collection<UInt8>, limit: Int = 128) -> String {
        let text = String(decoding: bytes.prefix(limit), as: UTF8.self)
        return String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { scalar in
                    scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
                        || (0x2028...0x2029).contains(scalar.value)
                        ? " " : scalar
                }))
    }
}

extension TaskID {
    /// Parses the text form out of `span`, which has at least `start + textLength` bytes.
    init?(_ span: Span<UInt8>, start: Int) {
        let dash = UInt8(ascii: "-")
        guard span[start + 8] == dash, span[start + 13] == dash, span[start + 18] == dash, span[start + 23] == dash,
            let first = Digits.hexadecimal(span.word(start)),
            let second = Digits.hexadecimal(span.half(start + 9) << 32 | span.half(start + 14)),
            let third = Digits.hexadecimal(span.half(start + 19) << 32 | span.half(start + 24)),
            let fourth = Digits.hexadecimal(span.word(start + 28))
        else { return nil }
        let (high, low) = (first << 32 | second, third << 32 | fourth)
        guard high >> 12 & 0xF == 7, low >> 62 == 2 else { return nil }
        self.init(sequence: (high & ~0xFFFF) | (high & 0xFFF) << 4 | low >> 58 & 0xF, check: low)
    }
}

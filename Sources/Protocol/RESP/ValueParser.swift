public import NIOCore

/// What a reply may claim before any of it is stored.
public struct RESPValueLimits: Hashable, Sendable {
    /// How deep arrays and maps may nest. The parser's own stack grows no further.
    public var depth = 32
    /// Elements of one array, set or push; fields of one map.
    public var count = 1_048_576
    /// Bytes of one bulk string.
    public var bulk = 512 * 1024 * 1024
    /// Bytes of one line: a simple string, an error, a number, a length.
    public var line = 64 * 1024
    /// Bytes of text in one whole reply.
    public var total = 1024 * 1024 * 1024

    public init() {}
}

/// The other end does not speak RESP, or past the limits. The connection is of no further use.
public struct RESPValueError: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String

    init(_ description: String) { self.description = description }
}

/// Reads replies from a stream that may stop at any byte; resumes where it stopped.
///
/// A reply is a tree, written in prefix order:
///
///     *2\r\n           an array of two:
///     $3\r\nfoo\r\n      three bytes
///     %1\r\n             a map of one field
///     +a\r\n :1\r\n
///
/// The parser keeps a stack of the aggregates that are still open; each complete leaf is put into the innermost one.
public struct RESPValueParser: Sendable {
    /// An aggregate whose elements are still arriving.
    private struct Open: Sendable {
        enum Kind { case array, map, set, push, attribute }
        var kind: Kind
        /// Elements to come; a field counts as two.
        var missing: Int
        var elements: [RESPValue]
    }

    /// A bulk string whose header was read.
    private struct Bulk {
        enum Kind { case bytes, verbatim, error }
        var kind: Kind
        var length: Int
    }

    private let limits: RESPValueLimits
    private var open: [Open] = []
    private var bulk: Bulk?
    /// Readable bytes already searched for the end of the line.
    private var searched = 0
    /// Bytes of text in the reply being read.
    private var total = 0

    public init(limits: RESPValueLimits = .init()) { self.limits = limits }

    /// The next whole reply, or `nil` when `buffer` ends before one does. What was understood is consumed, and kept.
    ///
    /// After an error the parser must not be used again.
    public mutating func next(from buffer: inout ByteBuffer) throws(RESPValueError) -> RESPValue? {
        while let leaf = try nextLeaf(from: &buffer) {
            if let reply = close(with: leaf) {
                total = 0
                return reply
            }
        }
        return nil
    }

    /// Puts a finished value into the innermost open aggregate; returns it when none is open.
    private mutating func close(with leaf: RESPValue) -> RESPValue? {
        var value = leaf
        while !open.isEmpty {
            let innermost = open.count - 1
            open[innermost].elements.append(value)
            open[innermost].missing -= 1
            guard open[innermost].missing == 0 else { return nil }
            guard let finished = Self.finished(open.removeLast()) else { return nil }
            value = finished
        }
        return value
    }

    /// `nil` for an attribute: it describes the value that follows, and is dropped.
    private static func finished(_ aggregate: Open) -> RESPValue? {
        switch aggregate.kind {
        case .array: return .array(aggregate.elements)
        case .set: return .set(aggregate.elements)
        case .push: return .push(aggregate.elements)
        case .attribute: return nil
        case .map:
            let elements = aggregate.elements
            return .map(stride(from: 0, to: elements.count, by: 2).map { RESPField(elements[$0], elements[$0 + 1]) })
        }
    }

    /// The next value that is complete in itself: a leaf or an empty aggregate. Opens aggregates on the way.
    private mutating func nextLeaf(from buffer: inout ByteBuffer) throws(RESPValueError) -> RESPValue? {
        while true {
            if let bulk {
                guard let value = try readBulk(bulk, from: &buffer) else { return nil }
                self.bulk = nil
                return value
            }
            guard let line = try readLine(from: &buffer) else { return nil }
            guard let kind = line.first else { throw RESPValueError("empty line where a reply was expected") }
            if let leaf = try read(kind, line.dropFirst()) { return leaf }
        }
    }
}

// MARK: - Lines and bulk strings

extension RESPValueParser {
    /// The next line without its CR LF.
    private mutating func readLine(from buffer: inout ByteBuffer) throws(RESPValueError) -> ArraySlice<UInt8>? {
        let view = buffer.readableBytesView
        let start = view.startIndex
        guard let end = view[view.index(start, offsetBy: searched)...].firstIndex(of: UInt8(ascii: "\n")) else {
            searched = view.count
            guard searched <= limits.line + 2 else { throw RESPValueError("line longer than \(limits.line) bytes") }
            return nil
        }
        let length = end - start
        guard length <= limits.line + 1 else { throw RESPValueError("line longer than \(limits.line) bytes") }
        guard length > 0, view[end - 1] == UInt8(ascii: "\r") else { throw RESPValueError("line without CR") }
        let line = Bytes(view[start..<(end - 1)])
        buffer.moveReaderIndex(forwardBy: length + 1)
        searched = 0
        return line[...]
    }

    private mutating func readBulk(_ bulk: Bulk, from buffer: inout ByteBuffer) throws(RESPValueError) -> RESPValue? {
        guard buffer.readableBytes >= bulk.length + 2, let bytes = buffer.readBytes(length: bulk.length) else {
            return nil
        }
        guard buffer.readBytes(length: 2) == [UInt8(ascii: "\r"), UInt8(ascii: "\n")] else {
            throw RESPValueError("bulk string longer than its length")
        }
        switch bulk.kind {
        case .bytes: return .bulk(bytes)
        case .error: return .error(String(decoding: bytes, as: UTF8.self))
        case .verbatim:
            guard bytes.count >= 4, bytes[3] == UInt8(ascii: ":") else {
                throw RESPValueError("verbatim string without a format")
            }
            return .verbatim(format: String(decoding: bytes[..<3], as: UTF8.self), Bytes(bytes[4...]))
        }
    }

    /// One line: a leaf is returned, the header of something longer is noted.
    private mutating func read(_ kind: UInt8, _ line: ArraySlice<UInt8>) throws(RESPValueError) -> RESPValue? {
        switch kind {
        case UInt8(ascii: "$"): return try begin(.bytes, line)
        case UInt8(ascii: "="): return try begin(.verbatim, line)
        case UInt8(ascii: "!"): return try begin(.error, line)
        case UInt8(ascii: "*"): return try open(.array, line)
        case UInt8(ascii: "%"): return try open(.map, line)
        case UInt8(ascii: "~"): return try open(.set, line)
        case UInt8(ascii: ">"): return try open(.push, line)
        case UInt8(ascii: "|"): return try open(.attribute, line)
        default:
            try count(line.count)
            return try Self.leaf(kind, String(decoding: line, as: UTF8.self))
        }
    }

    /// Notes a bulk string's length, or returns RESP2's null.
    private mutating func begin(_ kind: Bulk.Kind, _ line: ArraySlice<UInt8>) throws(RESPValueError) -> RESPValue? {
        guard let length = Self.length(line) else { throw RESPValueError("invalid bulk length") }
        if length == -1 { return .null }
        guard length >= 0, length <= limits.bulk else { throw RESPValueError("bulk length \(length) out of range") }
        try count(length)
        bulk = Bulk(kind: kind, length: length)
        return nil
    }

    /// Opens an aggregate, or returns an empty one (or RESP2's null).
    private mutating func open(_ kind: Open.Kind, _ line: ArraySlice<UInt8>) throws(RESPValueError) -> RESPValue? {
        guard let count = Self.length(line) else { throw RESPValueError("invalid count") }
        if count == -1, kind == .array { return .null }
        guard count >= 0, count <= limits.count else { throw RESPValueError("count \(count) out of range") }
        let missing = kind == .map || kind == .attribute ? count * 2 : count
        if missing == 0 { return Self.finished(Open(kind: kind, missing: 0, elements: [])) }
        guard open.count < limits.depth else { throw RESPValueError("nested deeper than \(limits.depth)") }
        var elements: [RESPValue] = []
        elements.reserveCapacity(min(missing, 64))
        open.append(Open(kind: kind, missing: missing, elements: elements))
        return nil
    }

    private mutating func count(_ bytes: Int) throws(RESPValueError) {
        total += bytes
        guard total <= limits.total else { throw RESPValueError("reply longer than \(limits.total) bytes") }
    }

    /// A length or a count: an optional minus and digits.
    private static func length(_ line: ArraySlice<UInt8>) -> Int? {
        guard let first = line.first, first != UInt8(ascii: "+") else { return nil }
        return Int(String(decoding: line, as: UTF8.self))
    }

    private static func leaf(_ kind: UInt8, _ text: String) throws(RESPValueError) -> RESPValue {
        switch kind {
        case UInt8(ascii: "+"): return .simple(text)
        case UInt8(ascii: "-"): return .error(text)
        case UInt8(ascii: "_") where text.isEmpty: return .null
        case UInt8(ascii: "#") where text == "t" || text == "f": return .boolean(text == "t")
        case UInt8(ascii: ":"):
            guard let number = Int64(text) else { throw RESPValueError("invalid integer") }
            return .integer(number)
        case UInt8(ascii: ","):
            guard let number = Double(text) else { throw RESPValueError("invalid double") }
            return .double(number)
        case UInt8(ascii: "("):
            let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
            guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
                throw RESPValueError("invalid big number")
            }
            return .bigNumber(text)
        default:
            throw RESPValueError("unknown reply type, byte \(kind)")
        }
    }
}

/// One reply of the wire, RESP2 or RESP3, as a client reads it.
public enum RESPValue: Hashable, Sendable {
    /// `+text`
    case simple(String)
    /// `-CODE text` (or RESP3's `!`): the whole line without the leading `-`.
    case error(String)
    /// `:number`
    case integer(Int64)
    /// `$length`, any bytes.
    case bulk(Bytes)
    /// `*count`
    case array([RESPValue])
    /// `_`, and RESP2's `$-1` and `*-1`.
    case null
    /// `%count`, in the order sent; doubled keys are kept.
    case map([RESPField])
    /// `~count`, in the order sent.
    case set([RESPValue])
    /// `>count`: out of band, no reply to any command.
    case push([RESPValue])
    /// `,number`, `inf`, `-inf` or `nan`.
    case double(Double)
    /// `#t` or `#f`
    case boolean(Bool)
    /// `(digits`: an integer of any length, as text.
    case bigNumber(String)
    /// `=length`: a three-letter format (`txt`, `mkd`) and the text.
    case verbatim(format: String, Bytes)
}

/// One field of a `RESPValue.map`.
public struct RESPField: Hashable, Sendable {
    public var key: RESPValue
    public var value: RESPValue

    public init(_ key: RESPValue, _ value: RESPValue) {
        self.key = key
        self.value = value
    }
}

extension RESPValue {
    /// The bytes of any kind of text; `nil` for the rest.
    public var bytes: Bytes? {
        switch self {
        case .bulk(let bytes), .verbatim(_, let bytes): bytes
        case .simple(let text), .bigNumber(let text): Bytes(text.utf8)
        default: nil
        }
    }

    /// Text, with invalid UTF-8 repaired; `nil` if it is not text.
    public var text: String? {
        switch self {
        case .simple(let text), .bigNumber(let text): text
        default: bytes.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// An integer, or text that is one; `nil` otherwise.
    public var integer: Int64? {
        if case .integer(let number) = self { return number }
        return text.flatMap { Int64($0) }
    }

    /// RESP3's boolean, or RESP2's 1 and 0; `nil` otherwise.
    public var boolean: Bool? {
        switch self {
        case .boolean(let flag): flag
        case .integer(0): false
        case .integer(1): true
        default: nil
        }
    }

    /// The elements of an array, a set or a push; `nil` otherwise.
    public var elements: [RESPValue]? {
        switch self {
        case .array(let elements), .set(let elements), .push(let elements): elements
        default: nil
        }
    }

    public var isNull: Bool { self == .null }

    /// The value of the first field of that name: of a map, or of RESP2's flat array of fields and values.
    ///
    /// Linear in the number of fields.
    public subscript(field: String) -> RESPValue? {
        switch self {
        case .map(let fields): return fields.first { $0.key.text == field }?.value
        case .array(let flat):
            var position = 0
            while position + 1 < flat.count {
                if flat[position].text == field { return flat[position + 1] }
                position += 2
            }
            return nil
        default: return nil
        }
    }
}

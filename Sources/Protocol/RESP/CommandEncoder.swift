public import NIOCore

/// One request as a client sends it: a RESP array of bulk strings.
///
///     *3\r\n$8\r\nTASK.ACK\r\n$36\r\n0199…\r\n$1\r\n7\r\n
public struct RESPCommand: Hashable, Sendable {
    /// The name first. Text is kept as text until it is encoded.
    public private(set) var arguments: [Argument]

    /// One bulk string of a request.
    public enum Argument: Hashable, Sendable {
        case text(String)
        case bytes(Bytes)
        case integer(Int64)
    }

    public init(_ name: String, _ arguments: Argument...) {
        self.arguments = [.text(name)] + arguments
    }

    public mutating func append(_ argument: Argument) { arguments.append(argument) }

    /// Appends an option and its value.
    public mutating func append(_ keyword: String, _ value: Argument) {
        arguments.append(.text(keyword))
        arguments.append(value)
    }

    /// The name in upper case, as far as it is text.
    public var name: String {
        guard case .text(let name)? = arguments.first else { return "" }
        return name.uppercased()
    }

    /// Writes the request to the end of `buffer`.
    public func encode(into buffer: inout ByteBuffer) {
        buffer.writeString("*\(arguments.count)\r\n")
        for argument in arguments {
            switch argument {
            case .text(let text):
                buffer.writeString("$\(text.utf8.count)\r\n")
                buffer.writeString(text)
            case .bytes(let bytes):
                buffer.writeString("$\(bytes.count)\r\n")
                buffer.writeBytes(bytes)
            case .integer(let number):
                let digits = String(number)
                buffer.writeString("$\(digits.utf8.count)\r\n")
                buffer.writeString(digits)
            }
            buffer.writeString("\r\n")
        }
    }
}

extension RESPCommand.Argument: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    public init(stringLiteral text: String) { self = .text(text) }
    public init(integerLiteral number: Int64) { self = .integer(number) }
}

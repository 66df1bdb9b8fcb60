/// Walks a request's arguments from left to right: first the positional ones, then `KEYWORD value` options.
///
/// What is wrong is thrown as the reply the contract wants; nothing has been changed by then.
public struct ArgumentCursor {
    public let request: Request
    /// The next argument.
    public private(set) var position: Int
    /// Behind the last argument.
    private let limit: Int
    private var seen: UInt64 = 0

    /// Begins after the command's name (and its subcommand's, with `from: 2`).
    public init(_ request: Request, from position: Int = 1) {
        self.request = request
        self.position = position
        limit = request.count
    }

    private init(_ request: Request, _ range: Range<Int>) {
        (self.request, position, limit) = (request, range.lowerBound, range.upperBound)
    }

    public var hasMore: Bool { position < limit }

    /// How many arguments are left.
    public var left: Int { limit - position }

    /// A cursor over the next `count` arguments, which are then passed; there must be so many.
    public mutating func part(_ count: Int) -> ArgumentCursor {
        precondition(count <= left, "a part is no longer than what is left")
        defer { position += count }
        return ArgumentCursor(request, position..<position + count)
    }

    /// The next argument's index, which is then passed. `what` names it in the refusal when there is none.
    public mutating func take(_ what: StaticString) throws(CommandError) -> Int {
        guard position < limit else { throw CommandError(.error, "syntax error near '\(what)'") }
        defer { position += 1 }
        return position
    }

    public mutating func bytes(_ what: StaticString) throws(CommandError) -> Bytes {
        request.bytes(try take(what))
    }

    /// Bytes of at most `limit`; longer ones are cut off.
    public mutating func bytes(_ what: StaticString, cutAt limit: Int) throws(CommandError) -> Bytes {
        let index = try take(what)
        return request.length(index) <= limit ? request.bytes(index) : Bytes(request.bytes(index).prefix(limit))
    }

    /// A payload or a result: TOOBIG past the limit.
    public mutating func payload(_ what: StaticString) throws(CommandError) -> Bytes {
        let index = try take(what)
        guard request.length(index) <= Limits.payload else {
            throw CommandError(
                .tooBig, "\(what) of \(request.length(index)) bytes: at most \(Limits.payload) are taken")
        }
        return request.bytes(index)
    }

    public mutating func integer(
        _ what: StaticString, in range: ClosedRange<Int64> = Int64.min...Int64.max
    ) throws(CommandError) -> Int64 {
        let index = try take(what)
        guard let value = request.integer(index), range.contains(value) else {
            throw CommandError(
                .error,
                "value is not an integer or out of range: \(what) must be \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// A span of time in milliseconds, at most 2^53.
    public mutating func duration(
        _ what: StaticString, atLeast least: Milliseconds = 0
    ) throws(CommandError) -> Milliseconds {
        try integer(what, in: least...Limits.latestTime)
    }

    /// A point in time, Unix milliseconds up to 2^53.
    public mutating func time(_ what: StaticString) throws(CommandError) -> Timestamp {
        try integer(what, in: 0...Limits.latestTime)
    }

    /// A count of things that follow: no more than arguments are left, so that it bounds what is allocated for them.
    public mutating func count(
        _ what: StaticString, in range: ClosedRange<Int64>, each: Int = 1
    ) throws(CommandError) -> Int {
        let count = Int(try integer(what, in: range))
        guard count <= left / each else {
            throw CommandError(.error, "syntax error near '\(what)': \(count) are announced, fewer follow")
        }
        return count
    }

    /// A name of so many bytes.
    public mutating func name(
        _ what: StaticString, in limit: ClosedRange<Int> = Limits.name
    ) throws(CommandError) -> Bytes {
        let index = try take(what)
        guard limit.contains(request.length(index)) else {
            throw CommandError(
                .error,
                "\(what) of \(request.length(index)) bytes: it must have \(limit.lowerBound) to \(limit.upperBound)")
        }
        return request.bytes(index)
    }

    /// A queue's name: UTF-8 without control characters.
    public mutating func queue(_ what: StaticString = "queue") throws(CommandError) -> Bytes {
        let name = try name(what, in: Limits.queueName)
        guard Self.isPlainText(name) else {
            throw CommandError(.error, "\(what) must be UTF-8 without control characters")
        }
        return name
    }

    /// A task id; `nil`: it is not the text of one, so no task has it.
    public mutating func taskID() throws(CommandError) -> TaskID? { request.taskID(try take("id")) }

    /// The fencing token of a hand-out.
    public mutating func token() throws(CommandError) -> Int64 { try integer("token") }

    private static func isPlainText(_ name: Bytes) -> Bool {
        if name.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return true }
        guard let text = String(validating: name, as: UTF8.self) else { return false }
        return text.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
    }
}

extension ArgumentCursor {
    /// The next option's keyword, or `nil` when there are no more arguments.
    public mutating func option() -> Keyword? {
        guard position < limit else { return nil }
        defer { position += 1 }
        return request.keyword(position)
    }

    /// Whether the next argument is `keyword`; if so it is passed.
    public mutating func skip(_ keyword: Keyword) -> Bool {
        guard position < limit, request.keyword(position) == keyword else { return false }
        position += 1
        return true
    }

    /// Notes that option `number` (0…63) was given; refuses it the second time.
    public mutating func once(_ number: Int) throws(CommandError) {
        let bit: UInt64 = 1 << UInt64(number & 63)
        guard seen & bit == 0 else { throw syntaxError() }
        seen |= bit
    }

    /// The refusal of the argument just passed.
    public func syntaxError() -> CommandError {
        CommandError(.error, "syntax error near '\(position > 0 ? request.text(position - 1) : "")'")
    }

    /// Refuses what is left over.
    public func end() throws(CommandError) {
        guard position < limit else { return }
        throw CommandError(.error, "syntax error near '\(request.text(position))'")
    }
}

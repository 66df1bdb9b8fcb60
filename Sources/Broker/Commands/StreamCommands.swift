import MartletEngine
import MartletProtocol

/// The stream `@events`: what happened to tasks, durable and bounded.
let streamCommands = [
    Command(
        "XREAD", .atLeast(4), [.readonly, .blocking],
        usage: "[COUNT count] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
        summary: "Reads @events after an id, $ is the newest; a breaker's entry has its name as id and no queue.",
        group: "stream",
        reply: "the entries by stream, null if there are none", run: .inspect(parseRead)),
    Command(
        "XRANGE", 4...6, [.readonly], usage: "key start end [COUNT count]",
        summary: "Reads the stream between two ids, oldest first.", group: "stream", reply: "an array of entries",
        run: .inspect { (cursor) throws(CommandError) in try parseRange(&cursor, backwards: false) }),
    Command(
        "XREVRANGE", 4...6, [.readonly], usage: "key end start [COUNT count]",
        summary: "Reads the stream between two ids, newest first.", group: "stream", reply: "an array of entries",
        run: .inspect { (cursor) throws(CommandError) in try parseRange(&cursor, backwards: true) }),
    Command(
        "XLEN", .exactly(2), [.readonly, .fast], usage: "key", summary: "Counts the stream's entries.",
        group: "stream", reply: "an integer",
        run: .inspect { (cursor) throws(CommandError) in .stream(.length(try cursor.bytes("key"))) }),
    Command(
        "XINFO", .exactly(3), [.readonly], usage: "STREAM key", summary: "Tells about the stream.", group: "stream",
        reply: "a map",
        run: .inspect { (cursor) throws(CommandError) in
            let name = cursor.position
            guard cursor.option() == Keyword("STREAM") else {
                throw CommandError(
                    .error, "unknown subcommand '\(cursor.request.text(name))': XINFO knows STREAM")
            }
            return .stream(.info(try cursor.bytes("key")))
        }),
]

private let invalidID = CommandError(.error, "Invalid stream ID specified as stream command argument")

@Sendable private func parseRead(_ cursor: inout ArgumentCursor) throws(CommandError) -> Inspection {
    var read = StreamRead()
    while let option = cursor.option(), option != Keyword("STREAMS") {
        if option == .count {
            read.count = Int(min(try cursor.integer("COUNT", in: 1...Int64.max), Int64(InspectionLimits.range)))
        } else if option == .block {
            read.block = try cursor.integer("BLOCK", in: 0...Int64.max)
        } else {
            throw cursor.syntaxError()
        }
    }
    guard cursor.left > 0, cursor.left % 2 == 0 else {
        throw CommandError(
            .error,
            "Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified.")
    }
    var keys: [Bytes] = []
    for _ in 0..<cursor.left / 2 { keys.append(try cursor.bytes("key")) }
    for key in keys {
        let id = try cursor.bytes("id")
        let place = id == [UInt8(ascii: "$")] ? nil : MovePlace(id, number: 0)
        guard place != nil || id == [UInt8(ascii: "$")] else { throw invalidID }
        guard key == StreamRead.events else { continue }
        (read.isOfEvents, read.after) = (true, place)
    }
    return .stream(.read(read))
}

private func parseRange(_ cursor: inout ArgumentCursor, backwards: Bool) throws(CommandError) -> Inspection {
    let key = try cursor.bytes("key")
    let (one, other) = (try cursor.bytes("id"), try cursor.bytes("id"))
    let (from, to) = backwards ? (other, one) : (one, other)
    var count = InspectionLimits.range
    if cursor.hasMore {
        guard cursor.skip(.count) else { throw cursor.syntaxError() }
        count = Int(min(max(0, try cursor.integer("COUNT")), Int64(InspectionLimits.range)))
    }
    return .stream(
        .range(
            key, from: try bound(from, isStart: true), to: try bound(to, isStart: false), count: count,
            backwards: backwards))
}

/// `-`, `+`, an id, or `(` before one that is not included.
private func bound(_ text: Bytes, isStart: Bool) throws(CommandError) -> MovePlace {
    if text == [UInt8(ascii: "-")] { return .first }
    if text == [UInt8(ascii: "+")] { return .last }
    let isOpen = text.first == UInt8(ascii: "(")
    guard let place = MovePlace(isOpen ? Bytes(text.dropFirst()) : text, number: isStart ? 0 : .max) else {
        throw invalidID
    }
    guard isOpen else { return place }
    return isStart ? place.next : place.previous
}

extension MovePlace {
    /// The place right before this one.
    fileprivate var previous: MovePlace {
        number > 0 ? MovePlace(at: at, number: number - 1) : MovePlace(at: max(0, at - 1), number: at > 0 ? .max : 0)
    }
}

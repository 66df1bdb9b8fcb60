import MartletEngine
import MartletProtocol

/// Plain keys.
let textCommands: [Command] =
    deletions + flushes + [
        Command(
            "GET", .exactly(2), [.readonly, .fast], usage: "key",
            summary: "Tells what a key holds; @metrics:tasks:state:<state>: how many tasks are in a state.",
            group: "string", reply: "text, null if there is none",
            run: .inspect { (cursor) throws(CommandError) in .string(try cursor.bytes("key")) }),
        Command(
            "SET", .atLeast(3), [.write, .denyOutOfMemory],
            usage:
                "key value [NX | XX | IFEQ held] [GET] "
                + "[EX seconds | PX milliseconds | EXAT unix-seconds | PXAT unix-ms | KEEPTTL]",
            summary: "Sets what a key holds.", group: "string",
            reply: "OK, null if NX, XX or IFEQ (it holds just that) forbade it; with GET what it held",
            run: .write(parseSet)),
        Command(
            "TTL", .exactly(2), [.readonly, .fast], usage: "key", summary: "Tells how long a key lives.",
            group: "string", reply: "seconds; -1: for ever; -2: there is none",
            run: .inspect { (cursor) throws(CommandError) in .timeToLive(try cursor.bytes("key"), unit: 1_000) }),
        Command(
            "PTTL", .exactly(2), [.readonly, .fast], usage: "key", summary: "Tells how long a key lives.",
            group: "string", reply: "milliseconds; -1: for ever; -2: there is none",
            run: .inspect { (cursor) throws(CommandError) in .timeToLive(try cursor.bytes("key"), unit: 1) }),
        expire("EXPIRE", "seconds", unit: 1_000),
        expire("PEXPIRE", "milliseconds", unit: 1),
        Command(
            "PERSIST", .exactly(2), [.write, .denyOutOfMemory, .fast], usage: "key",
            summary: "Lets a key live for ever.", group: "string",
            reply: "1, or 0 if there is no such key or it had no end",
            run: .write { (cursor, _) throws(CommandError) in
                .expireText(ExpireRequest(key: try cursor.plainKey(), life: .forEver))
            }),
    ]

private let deletions: [Command] = ["DEL", "UNLINK"].map { name in
    Command(
        name, .atLeast(2), [.write, .fast], usage: "key [key ...]", summary: "Deletes keys.", group: "string",
        reply: "how many there were",
        run: .write { (cursor, _) throws(CommandError) in
            var keys: [Bytes] = []
            while cursor.hasMore { keys.append(try cursor.plainKey()) }
            return .deleteTexts(keys)
        })
}

/// There is one database: both are the same, and nobody waits for either.
private let flushes: [Command] = ["FLUSHALL", "FLUSHDB"].map { name in
    Command(
        name, 1...2, [.write], usage: "[ASYNC | SYNC]",
        summary: "Deletes all plain keys at once. Tasks, and what the reserved keys show, stay.", group: "string",
        reply: "OK",
        run: .write { (cursor, _) throws(CommandError) in
            if let option = cursor.option(), option != Keyword("ASYNC"), option != Keyword("SYNC") {
                throw cursor.syntaxError()
            }
            return .flushTexts
        })
}

private func expire(_ name: String, _ what: String, unit: Milliseconds) -> Command {
    Command(
        name, 3...4, [.write, .denyOutOfMemory, .fast], usage: "key \(what) [NX | XX | GT | LT]",
        summary: "Gives a key an end.",
        group: "string", reply: "1, or 0 if there is no such key or the condition forbade it",
        run: .write { (cursor, _) throws(CommandError) in
            let key = try cursor.plainKey()
            let life = TextLife.span(try cursor.span(unit, least: -Limits.latestTime, of: name))
            let conditions: [(Keyword, ExpireRequest.Condition)] = [
                (Keyword("NX"), .ifNone), (Keyword("XX"), .ifSome), (Keyword("GT"), .ifLater),
                (Keyword("LT"), .ifEarlier),
            ]
            var condition = ExpireRequest.Condition.always
            if let option = cursor.option() {
                guard let found = conditions.first(where: { $0.0 == option }) else { throw cursor.syntaxError() }
                condition = found.1
            }
            return .expireText(ExpireRequest(key: key, life: life, condition: condition))
        })
}

@Sendable private func parseSet(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var set = SetTextRequest(key: try cursor.plainKey(), value: try cursor.payload("value"))
    while let option = cursor.option() {
        switch option {
        case Keyword("NX") where set.condition == .always: set.condition = .ifAbsent
        case Keyword("XX") where set.condition == .always: set.condition = .ifPresent
        case Keyword("IFEQ") where set.condition == .always:
            set.condition = .ifEqual(try cursor.payload("IFEQ"))
        case Keyword("GET") where !set.givesOld: set.givesOld = true
        case Keyword("EX") where set.life == .forEver: set.life = .span(try cursor.span(1_000, least: 1, of: "SET"))
        case Keyword("PX") where set.life == .forEver: set.life = .span(try cursor.span(1, least: 1, of: "SET"))
        case Keyword("EXAT") where set.life == .forEver: set.life = .until(try cursor.span(1_000, least: 1, of: "SET"))
        case Keyword("PXAT") where set.life == .forEver: set.life = .until(try cursor.span(1, least: 1, of: "SET"))
        case Keyword("KEEPTTL") where set.life == .forEver: set.life = .asBefore
        default: throw CommandError(.error, "syntax error")
        }
    }
    return .setText(set)
}

extension ArgumentCursor {
    /// A key that is not reserved.
    fileprivate mutating func plainKey() throws(CommandError) -> Bytes {
        let key = try name("key", in: Limits.key)
        guard key.first != UInt8(ascii: "@") else { throw .reservedKey }
        return key
    }

    /// A span or a time in `unit` milliseconds.
    fileprivate mutating func span(
        _ unit: Milliseconds, least: Int64, of command: String
    ) throws(CommandError) -> Milliseconds {
        let index = try take("time")
        guard let number = request.integer(index) else {
            throw CommandError(.error, "value is not an integer or out of range")
        }
        guard number >= least, abs(number) <= Limits.latestTime / unit else {
            let name = command.lowercased()
            throw CommandError(.error, "invalid expire time in '\(name)' command: up to 2^53 ms are possible")
        }
        return number * unit
    }
}

extension CommandError {
    static let reservedKey = CommandError(
        .readOnly, "keys that begin with @ show the tasks; change them with TASK commands")
}

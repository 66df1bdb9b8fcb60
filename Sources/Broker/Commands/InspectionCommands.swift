import MartletProtocol

/// Redis' reading commands, for the reserved keys; plain keys hold text.
let inspectionCommands: [Command] =
    [
        Command(
            "HGETALL", .exactly(2), [.readonly, .fast], usage: "key",
            summary: "Shows a task or a worker: @task:<id>, @worker:<id>.",
            group: "inspection", reply: "a map of text",
            run: .inspect { (cursor) throws(CommandError) in .hash(try cursor.bytes("key")) }),
        Command(
            "HGET", .exactly(3), [.readonly, .fast], usage: "key field",
            summary: "Shows one field of a task or a worker.",
            group: "inspection", reply: "text, null if there is none",
            run: .inspect { (cursor) throws(CommandError) in
                .hashField(try cursor.bytes("key"), field: try cursor.bytes("field"))
            }),
        Command(
            "HLEN", .exactly(2), [.readonly, .fast], usage: "key", summary: "Counts the fields of a task or a worker.",
            group: "inspection", reply: "an integer",
            run: .inspect { (cursor) throws(CommandError) in .hashLength(try cursor.bytes("key")) }),
        Command(
            "ZRANGE", 4...5, [.readonly], usage: "key start stop [WITHSCORES]",
            summary: "Shows a queue's tasks: @queue:<name>:pending, :scheduled, :active.", group: "inspection",
            reply: "an array of ids", run: .inspect(parseRange)),
        Command(
            "ZCARD", .exactly(2), [.readonly, .fast], usage: "key", summary: "Counts a queue's tasks.",
            group: "inspection", reply: "an integer",
            run: .inspect { (cursor) throws(CommandError) in .sortedCount(try cursor.bytes("key")) }),
        Command(
            "LRANGE", .exactly(4), [.readonly], usage: "key start stop",
            summary: "Shows a queue's dead letters, the oldest first: @queue:<name>:dlq.", group: "inspection",
            reply: "an array of ids",
            run: .inspect { (cursor) throws(CommandError) in
                .list(
                    try cursor.bytes("key"), from: try cursor.integer("start"), to: try cursor.integer("stop"))
            }),
        Command(
            "LLEN", .exactly(2), [.readonly, .fast], usage: "key", summary: "Counts a queue's dead letters.",
            group: "inspection", reply: "an integer",
            run: .inspect { (cursor) throws(CommandError) in .listLength(try cursor.bytes("key")) }),
        Command(
            "SMEMBERS", .exactly(2), [.readonly], usage: "key", summary: "Shows the names of all queues: @queues.",
            group: "inspection", reply: "a set",
            run: .inspect { (cursor) throws(CommandError) in .members(try cursor.bytes("key")) }),
        Command(
            "SCARD", .exactly(2), [.readonly, .fast], usage: "key", summary: "Counts the queues.",
            group: "inspection", reply: "an integer",
            run: .inspect { (cursor) throws(CommandError) in .memberCount(try cursor.bytes("key")) }),
        Command(
            "TYPE", .exactly(2), [.readonly, .fast], usage: "key", summary: "Tells what kind of key it is.",
            group: "inspection", reply: "a word",
            run: .inspect { (cursor) throws(CommandError) in .type(try cursor.bytes("key")) }),
        Command(
            "EXISTS", .atLeast(2), [.readonly, .fast], usage: "key [key ...]", summary: "Counts the keys there are.",
            group: "inspection", reply: "an integer",
            run: .inspect { (cursor) throws(CommandError) in
                var keys: [Bytes] = []
                while cursor.hasMore { keys.append(try cursor.bytes("key")) }
                return .exists(keys)
            }),
        Command(
            "KEYS", .exactly(2), [.readonly], usage: "pattern",
            summary: "Lists keys; the reserved ones when the pattern begins with @, never the tasks.",
            group: "inspection", reply: "an array; ERR when there are more keys than it looks through",
            run: .inspect { (cursor) throws(CommandError) in .keys(Glob(try cursor.bytes("pattern"))) }),
        Command(
            "SCAN", .atLeast(2), [.readonly], usage: "cursor [MATCH pattern] [COUNT n] [TYPE t]",
            summary: "Walks keys; the reserved ones when the pattern begins with @.", group: "inspection",
            reply: "an array of the next cursor and keys", run: .inspect(parseScan)),
        Command(
            "MEMORY", .atLeast(3), [.readonly], usage: "USAGE key [SAMPLES count]",
            summary: "Tells about how many bytes are stored of what a key shows.", group: "inspection",
            reply: "an integer, null if there is no such key", run: .inspect(parseMemory)),
        Command(
            "DBSIZE", .exactly(1), [.readonly, .fast], summary: "Counts the keys that are not reserved.",
            group: "inspection", reply: "an integer",
            run: .inspect { (_) throws(CommandError) in .textCount }),
    ] + reservedWrites

@Sendable private func parseRange(_ cursor: inout ArgumentCursor) throws(CommandError) -> Inspection {
    let key = try cursor.bytes("key")
    let (from, to) = (try cursor.integer("start"), try cursor.integer("stop"))
    let scores = cursor.skip(.withScores)
    try cursor.end()
    return .sorted(key, from: from, to: to, scores: scores)
}

@Sendable private func parseScan(_ cursor: inout ArgumentCursor) throws(CommandError) -> Inspection {
    let position = try cursor.bytes("cursor")
    var (pattern, count, type): (Glob?, Int, String?) = (nil, 10, nil)
    while let option = cursor.option() {
        if option == .match {
            pattern = Glob(try cursor.bytes("MATCH"))
        } else if option == .count {
            count = Int(min(try cursor.integer("COUNT", in: 1...Int64.max), Int64(InspectionLimits.scan)))
        } else if option == .type {
            type = String(decoding: try cursor.bytes("TYPE"), as: UTF8.self).lowercased()
        } else {
            throw cursor.syntaxError()
        }
    }
    return .scan(cursor: position, pattern: pattern, count: count, type: type)
}

@Sendable private func parseMemory(_ cursor: inout ArgumentCursor) throws(CommandError) -> Inspection {
    let name = cursor.position
    guard cursor.option() == Keyword("USAGE") else {
        throw CommandError(.error, "unknown subcommand '\(cursor.request.text(name))': MEMORY knows USAGE")
    }
    let key = try cursor.bytes("key")
    if cursor.skip(Keyword("SAMPLES")) { _ = try cursor.integer("SAMPLES", in: 0...Int64.max) }
    try cursor.end()
    return .memory(key)
}

/// Redis' writing commands that somebody may try on a reserved key. Plain keys hold text alone.
private let reservedWrites = [
    "HSET", "HDEL", "ZADD", "ZREM", "LPUSH", "RPUSH", "LPOP", "RPOP",
    "SADD", "SREM", "RENAME", "XADD", "XDEL", "XTRIM",
].map { name in
    Command(
        name, .atLeast(2), [.fast], usage: "key [argument ...]", summary: "Refused: reserved keys are read-only.",
        group: "inspection", reply: "an error",
        run: .local { (cursor, _, _) throws(CommandError) in
            guard try cursor.bytes("key").first == UInt8(ascii: "@") else { throw .unknownCommand(cursor.request) }
            throw .reservedKey
        })
}

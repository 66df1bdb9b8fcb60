import MartletProtocol

/// COMMAND: the table of commands, told.
let commandCommands = [
    Command(
        "COMMAND", .atLeast(1), [.loading],
        usage: "[COUNT | LIST [FILTERBY MODULE|ACLCAT|PATTERN value] | INFO [name ...] | DOCS [name ...] | "
            + "GETKEYS command [argument ...]]",
        summary: "Tells about the commands.", group: "server", reply: "depends on the subcommand", run: .local(command))
]

@Sendable private func command(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    let name = cursor.position
    let all = broker.table.commands
    switch cursor.option() {
    case nil: describe(all, connection)
    case Keyword.count: connection.output.integer(Int64(all.count))
    case Keyword.list:
        let rows = try filtered(all, &cursor)
        connection.output.array(rows.count)
        for row in rows { connection.output.bulk(row.name.lowercased()) }
    case Keyword("INFO"): describe(cursor.hasMore ? named(&cursor, broker) : all, connection)
    case Keyword("DOCS"):
        let rows = cursor.hasMore ? named(&cursor, broker).compactMap { $0 } : all
        connection.output.map(rows.count)
        for row in rows { connection.output.document(row) }
    case Keyword("GETKEYS"): try getKeys(&cursor, connection, broker)
    default:
        throw CommandError(
            .error,
            "unknown subcommand '\(cursor.request.text(name))': COMMAND knows COUNT, LIST, INFO, DOCS and GETKEYS")
    }
    try cursor.end()
}

private func describe(_ rows: [Command?], _ connection: Connection) {
    connection.output.array(rows.count)
    for row in rows { row.map { connection.output.describe($0) } ?? connection.output.nullArray() }
}

private func named(_ cursor: inout ArgumentCursor, _ broker: Broker) -> [Command?] {
    var rows: [Command?] = []
    while let name = cursor.option() { rows.append(broker.table[name]) }
    return rows
}

private func filtered(_ all: [Command], _ cursor: inout ArgumentCursor) throws(CommandError) -> [Command] {
    guard cursor.hasMore else { return all }
    guard cursor.skip(Keyword("FILTERBY")), let kind = cursor.option() else { throw cursor.syntaxError() }
    let value = try cursor.bytes("FILTERBY")
    switch kind {
    case Keyword("MODULE"): return []
    case Keyword("ACLCAT"): return all.filter { Array($0.group.utf8) == value }
    case Keyword("PATTERN"):
        let pattern = Glob(value.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 })
        return all.filter { pattern.matches(Array($0.name.lowercased().utf8)) }
    default: throw cursor.syntaxError()
    }
}

private func getKeys(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    guard let name = cursor.option() else { throw .wrongArity("command|getkeys") }
    guard let row = broker.table[name] else { throw CommandError(.error, "Invalid command specified") }
    guard row.arity.contains(cursor.left + 1) else {
        throw CommandError(.error, "Invalid number of arguments specified for command")
    }
    var arguments: [Bytes] = []
    while cursor.hasMore { arguments.append(try cursor.bytes("argument")) }
    guard let keys = row.keys, keys.first <= arguments.count else {
        throw CommandError(.error, "The command has no key arguments")
    }
    let found = arguments[(keys.first - 1)..<(keys.areMany ? arguments.count : keys.first)]
    connection.output.array(found.count)
    for key in found { connection.output.bulk(key) }
}

extension Command {
    /// Where the keys stand among the arguments, from 1; `nil`: there are none. Read from the usage.
    var keys: (first: Int, areMany: Bool)? {
        for (index, argument) in Usage(usage).arguments.enumerated() {
            switch argument {
            case .value("key"): return (index + 1, false)
            case .many([.value("key")]): return (index + 1, true)
            case .token, .value: continue
            default: return nil
            }
        }
        return nil
    }
}

extension ReplyWriter {
    /// One entry of COMMAND: name, arity, flags, keys, categories, tips, key specs, subcommands.
    fileprivate mutating func describe(_ command: Command) {
        array(10)
        bulk(command.name.lowercased())
        integer(Int64(command.redisArity))
        let flags = CommandFlags.names.filter { command.flags.contains($0.0) }
        set(flags.count)
        for flag in flags { simple(flag.1) }
        let keys = command.keys
        integer(Int64(keys?.first ?? 0))
        integer(keys.map { $0.areMany ? -1 : Int64($0.first) } ?? 0)
        integer(keys == nil ? 0 : 1)
        set(1)
        simple("@\(command.group)")
        for _ in 0..<3 { array(0) }
    }

    fileprivate mutating func document(_ command: Command) {
        let arguments = Usage.Argument.entries(Usage(command.usage).arguments)
        bulk(command.name.lowercased())
        map(arguments.isEmpty ? 5 : 6)
        field("summary", text: command.summary)
        field("since", text: command.since)
        field("group", text: command.group)
        field("usage", text: command.usage.isEmpty ? command.name : "\(command.name) \(command.usage)")
        field("reply", text: command.reply)
        guard !arguments.isEmpty else { return }
        bulk("arguments")
        entries(arguments)
    }

    private mutating func entries(_ entries: [Usage.Argument.Entry]) {
        array(entries.count)
        for entry in entries {
            map(2 + (entry.token == nil ? 0 : 1) + (entry.flags.isEmpty ? 0 : 1) + (entry.arguments.isEmpty ? 0 : 1))
            field("name", text: entry.name)
            field("type", text: entry.type)
            if let token = entry.token { field("token", text: token) }
            if !entry.flags.isEmpty {
                bulk("flags")
                array(entry.flags.count)
                for flag in entry.flags { simple(flag) }
            }
            if !entry.arguments.isEmpty {
                bulk("arguments")
                self.entries(entry.arguments)
            }
        }
    }
}

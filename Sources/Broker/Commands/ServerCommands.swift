import Logging
import MartletProtocol

/// What concerns the process.
let serverCommands = [
    Command(
        "COMMAND", .atLeast(1), [.loading], usage: "[COUNT | LIST | INFO [name ...] | DOCS [name ...]]",
        summary: "Tells about the commands.", group: "server", reply: "depends", run: .local(command)),
    Command(
        "INFO", .atLeast(1), [.loading], usage: "[section ...]", summary: "Tells about the process and its tasks.",
        group: "server", reply: "text",
        run: .inspect { (cursor) throws(CommandError) in
            var sections: [String] = []
            while cursor.hasMore { sections.append(cursor.request.text(try cursor.take("section")).lowercased()) }
            return .info(sections)
        }),
    Command(
        "CONFIG", .atLeast(2), [.admin, .loading], usage: "GET pattern [pattern ...]",
        summary: "Tells the few settings that Redis tools ask for.", group: "server", reply: "a map",
        run: .local(config)),
    Command(
        "TIME", .exactly(1), [.fast, .loading], summary: "Tells the broker's time.", group: "server",
        reply: "an array of seconds and microseconds",
        run: .local { (_, connection, broker) throws(CommandError) in
            connection.output.array(2)
            connection.output.bulk(integer: broker.clock.microseconds / 1_000_000)
            connection.output.bulk(integer: broker.clock.microseconds % 1_000_000)
        }),
    Command(
        "SHUTDOWN", .atLeast(1), [.admin, .loading], usage: "[NOSAVE | SAVE] [NOW] [FORCE]",
        summary: "Stops the broker in order; everything answered is durable anyway.", group: "server",
        reply: "none: the connection ends",
        run: .local(shutdown)),
]

@Sendable private func shutdown(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    let known = ["NOSAVE", "SAVE", "NOW", "FORCE"].map { Keyword($0) }
    while let option = cursor.option() {
        guard known.contains(option) else { throw cursor.syntaxError() }
    }
    connection.isClosing = true
    broker.logger.notice("a client asked for a stop", metadata: ["address": "\(connection.address)"])
    broker.requestStop()
}

@Sendable private func config(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    guard cursor.option() == Keyword("GET"), cursor.hasMore else {
        throw CommandError(
            .error, "CONFIG knows GET only: settings are flags, MARTLET_ variables or the configuration file")
    }
    let settings = [
        ("save", ""), ("appendonly", "yes"), ("appendfsync", "always"), ("databases", "1"),
        ("maxclients", "\(broker.configuration.maxClients)"), ("port", "\(broker.configuration.port)"),
        ("timeout", "\(broker.configuration.idleMilliseconds / 1_000)"),
        ("proto-max-bulk-len", "\(RequestLimits().bulk)"),
    ]
    var patterns: [Glob] = []
    while cursor.hasMore { patterns.append(Glob(try cursor.bytes("pattern"))) }
    let chosen = settings.filter { setting in patterns.contains { $0.matches(Array(setting.0.utf8)) } }
    connection.output.map(chosen.count)
    for (name, value) in chosen {
        connection.output.bulk(name)
        connection.output.bulk(value)
    }
}

@Sendable private func command(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    let name = cursor.position
    let all = broker.table.commands
    guard let subcommand = cursor.option() else {
        connection.output.array(all.count)
        for row in all { connection.output.describe(row) }
        return
    }
    switch subcommand {
    case .count: connection.output.integer(Int64(all.count))
    case .list:
        connection.output.array(all.count)
        for row in all { connection.output.bulk(row.name.lowercased()) }
    case Keyword("INFO"):
        let rows = cursor.hasMore ? named(&cursor, broker) : all
        connection.output.array(rows.count)
        for row in rows { row.map { connection.output.describe($0) } ?? connection.output.nullArray() }
    case Keyword("DOCS"):
        let rows = cursor.hasMore ? named(&cursor, broker).compactMap { $0 } : all
        connection.output.map(rows.count)
        for row in rows { connection.output.document(row) }
    default:
        throw CommandError(.error, "unknown subcommand '\(cursor.request.text(name))'. Try COMMAND HELP.")
    }
}

private func named(_ cursor: inout ArgumentCursor, _ broker: Broker) -> [Command?] {
    var rows: [Command?] = []
    while let name = cursor.option() { rows.append(broker.table[name]) }
    return rows
}

extension ReplyWriter {
    /// One entry of COMMAND: name, arity, flags, keys (none are routed by), categories, tips, key specs, subcommands.
    fileprivate mutating func describe(_ command: Command) {
        array(10)
        bulk(command.name.lowercased())
        integer(Int64(command.redisArity))
        let flags = CommandFlags.names.filter { command.flags.contains($0.0) }
        set(flags.count)
        for flag in flags { simple(flag.1) }
        for _ in 0..<3 { integer(0) }
        set(1)
        simple("@\(command.group)")
        for _ in 0..<3 { array(0) }
    }

    fileprivate mutating func document(_ command: Command) {
        bulk(command.name.lowercased())
        map(5)
        field("summary", text: command.summary)
        field("since", text: command.since)
        field("group", text: command.group)
        field("usage", text: command.usage.isEmpty ? command.name : "\(command.name) \(command.usage)")
        field("reply", text: command.reply)
    }
}

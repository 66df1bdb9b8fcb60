import Logging
import MartletProtocol
import MartletStorage

/// What concerns the process.
let serverCommands = [
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
        summary: "Tells the settings in force, and those that Redis tools ask for.", group: "server", reply: "a map",
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
        "MONITOR", .exactly(1), [.admin, .loading],
        summary: "Shows every command as it is run; passwords are not shown. RESET ends it.", group: "server",
        reply: "OK, then a line for each command",
        run: .local { (_, connection, broker) throws(CommandError) in
            connection.output.ok()
            broker.monitors[connection.id] = connection
        }),
    Command(
        "SLOWLOG", .atLeast(2), [.admin, .loading], usage: "GET [count] | LEN | RESET",
        summary: "Tells the newest commands that took 10 ms or longer.", group: "server",
        reply: "entries as Redis has them; LEN: an integer; RESET: OK", run: .local(slowLog)),
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
    let settings = broker.settings
    var patterns: [Glob] = []
    while cursor.hasMore {
        let pattern = String(decoding: try cursor.bytes("pattern"), as: UTF8.self)
        patterns.append(Glob(Array(pattern.lowercased().utf8)))
    }
    let chosen = settings.filter { setting in patterns.contains { $0.matches(Array(setting.0.utf8)) } }
    connection.output.map(chosen.count)
    for (name, value) in chosen {
        connection.output.bulk(name)
        connection.output.bulk(value)
    }
}

@Sendable private func slowLog(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    let name = cursor.position
    switch cursor.option() ?? .none {
    case Keyword("GET"):
        let count = cursor.hasMore ? try cursor.integer("count", in: -1...Int64.max) : 10
        connection.output.slowCommands(broker.slowLog.newest(count < 0 ? SlowLog.most : Int(clamping: count)))
    case Keyword("LEN"): connection.output.integer(Int64(broker.slowLog.count))
    case Keyword("RESET"):
        broker.slowLog.removeAll()
        connection.output.ok()
    default:
        throw CommandError(
            .error, "unknown subcommand '\(cursor.request.text(name))': SLOWLOG knows GET, LEN and RESET")
    }
    try cursor.end()
}

extension Broker {
    /// What CONFIG GET tells: the settings by their own names, and what Redis tools ask for by Redis' names.
    fileprivate var settings: [(String, String)] {
        let own = configuration.settings.map { ($0.setting.name, $0.value.description) }
        let redis = [
            ("save", ""), ("appendonly", "yes"),
            ("appendfsync", configuration.durability == .always ? "always" : "everysec"),
            ("databases", "1"), ("maxclients", "\(configuration.maxClients)"), ("port", "\(configuration.port)"),
            ("timeout", "\(configuration.idleMilliseconds / 1_000)"), ("maxmemory", "0"),
            ("proto-max-bulk-len", "\(RequestLimits().bulk)"), ("slowlog-max-len", "\(SlowLog.most)"),
            ("slowlog-log-slower-than", "\(SlowLog.threshold)"),
        ]
        return own + redis.filter { setting in !own.contains { $0.0 == setting.0 } }
    }
}

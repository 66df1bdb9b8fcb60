import MartletProtocol
import NIOCore

/// CLIENT and its subcommands.
let clientCommands = [
    Command(
        "CLIENT", .atLeast(2), [.fast, .loading],
        usage: "ID | GETNAME | SETNAME name | SETINFO LIB-NAME|LIB-VER value | INFO | LIST [TYPE type] "
            + "[ID id [id ...]] | KILL address | KILL [ID id] [ADDR address] [TYPE type] [SKIPME yes|no] | "
            + "NO-EVICT on|off | NO-TOUCH on|off",
        summary: "Tells about connections, names this one, ends others.", group: "connection",
        reply: "depends on the subcommand",
        run: .local(client))
]

private enum Subcommand {
    static let id = Keyword("ID")
    static let getName = Keyword("GETNAME")
    static let setInfo = Keyword("SETINFO")
    static let info = Keyword("INFO")
    static let list = Keyword("LIST")
    static let kill = Keyword("KILL")
    static let noEvict = Keyword("NO-EVICT")
    static let noTouch = Keyword("NO-TOUCH")
    static let libraryName = Keyword("LIB-NAME")
    static let libraryVersion = Keyword("LIB-VER")
    static let on = Keyword("ON")
    static let off = Keyword("OFF")
}

@Sendable private func client(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    let name = cursor.position
    switch cursor.option() ?? .none {
    case Subcommand.id: connection.output.integer(Int64(connection.id))
    case Subcommand.getName:
        connection.name.isEmpty ? connection.output.null() : connection.output.bulk(connection.name)
    case .setname:
        connection.name = try clientName(&cursor)
        connection.output.ok()
    case Subcommand.setInfo:
        try setInfo(&cursor, connection)
        connection.output.ok()
    case Subcommand.info: connection.output.verbatim(broker.line(connection))
    case Subcommand.list:
        let chosen = try listed(&cursor, broker)
        connection.output.verbatim(chosen.prefix(10_000).map { broker.line($0) }.joined())
    case Subcommand.kill: try kill(&cursor, connection, broker)
    case Subcommand.noEvict, Subcommand.noTouch:
        let value = cursor.option()
        guard value == Subcommand.on || value == Subcommand.off else { throw cursor.syntaxError() }
        connection.output.ok()
    default:
        throw CommandError(
            .error, "unknown subcommand '\(cursor.request.text(name))': docs/commands.md has those of CLIENT")
    }
    try cursor.end()
}

private func setInfo(_ cursor: inout ArgumentCursor, _ connection: Connection) throws(CommandError) {
    let option = cursor.option()
    let index = cursor.position - 1
    let value = try cursor.bytes("SETINFO")
    guard value.count <= Limits.name.upperBound, value.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
        throw CommandError(
            .error, "\(cursor.request.text(index)) cannot contain spaces, newlines or special characters.")
    }
    switch option ?? .none {
    case Subcommand.libraryName: connection.libraryName = value
    case Subcommand.libraryVersion: connection.libraryVersion = value
    default: throw CommandError(.error, "Unrecognized option '\(cursor.request.text(index))'")
    }
}

extension Broker {
    /// One line of CLIENT LIST, in Redis' form.
    func line(_ connection: Connection) -> String {
        let now = clock.now
        let text = { (bytes: Bytes) in String(decoding: bytes, as: UTF8.self) }
        let local = connection.context?.localAddress.map { "\($0.ipAddress ?? "?"):\($0.port ?? 0)" } ?? "?"
        let subscriptions = connection.subscriptions
        let flags = (subscriptions.count > 0 ? "P" : "") + (connection.blocked == nil ? "" : "b")
        return "id=\(connection.id) addr=\(connection.address) laddr=\(local) name=\(text(connection.name))"
            + " age=\((now - connection.connectedAt) / 1_000) idle=\((now - connection.lastActive) / 1_000)"
            + " flags=\(flags.isEmpty ? "N" : flags) db=0"
            + " sub=\(subscriptions.channels.count) psub=\(subscriptions.patterns.count)"
            + " qbuf=\(connection.inbound.count) omem=\(connection.outstanding)"
            + " cmd=\(connection.lastCommand?.name.lowercased() ?? "NULL") user=default"
            + " resp=\(connection.output.version.rawValue)"
            + " lib-name=\(text(connection.libraryName)) lib-ver=\(text(connection.libraryVersion))\n"
    }
}

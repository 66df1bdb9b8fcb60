import MartletProtocol
import NIOCore

/// CLIENT LIST's filters and CLIENT KILL: the connections of others.
private enum Filter {
    static let type = Keyword("TYPE")
    static let id = Keyword("ID")
    static let address = Keyword("ADDR")
    static let skipMe = Keyword("SKIPME")
    static let yes = Keyword("YES")
    static let no = Keyword("NO")
}

/// The connections that CLIENT LIST's filters leave, by id.
func listed(_ cursor: inout ArgumentCursor, _ broker: Broker) throws(CommandError) -> [Connection] {
    var ids: Set<CallerNumber>?
    var isOther = false
    while let option = cursor.option() {
        if option == Filter.type {
            isOther = try otherType(&cursor)
        } else if option == Filter.id, cursor.hasMore {
            ids = []
            while cursor.hasMore { ids?.insert(CallerNumber(clamping: try cursor.integer("ID", in: 0...Int64.max))) }
        } else {
            throw cursor.syntaxError()
        }
    }
    let all = broker.connections.values.filter { !isOther && ids?.contains($0.id) ?? true }
    return all.sorted { $0.id < $1.id }
}

/// What numbers a connection.
typealias CallerNumber = UInt64

/// TYPE: whether it is one that no client here has; there are normal ones only.
private func otherType(_ cursor: inout ArgumentCursor) throws(CommandError) -> Bool {
    let index = try cursor.take("TYPE")
    switch cursor.request.text(index).lowercased() {
    case "normal": return false
    case "master", "replica", "slave", "pubsub": return true
    default: throw CommandError(.error, "Unknown client type '\(cursor.request.text(index))'")
    }
}

/// CLIENT KILL: `KILL address` answers OK, the form with filters how many it ended.
func kill(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    if cursor.left == 1 {
        let address = cursor.request.text(try cursor.take("address"))
        guard let found = broker.connections.values.first(where: { $0.address == address }) else {
            throw CommandError(.error, "No such client")
        }
        connection.output.ok()
        return broker.end(found, for: connection)
    }
    let chosen = try killed(&cursor, connection, broker)
    connection.output.integer(Int64(chosen.count))
    for other in chosen { broker.end(other, for: connection) }
}

private func killed(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) -> [Connection] {
    var (id, address): (CallerNumber?, String?) = (nil, nil)
    var (isOther, skipsMe) = (false, true)
    guard cursor.hasMore else { throw cursor.syntaxError() }
    while let option = cursor.option() {
        switch option {
        case Filter.id: id = CallerNumber(clamping: try cursor.integer("ID", in: 1...Int64.max))
        case Filter.address: address = cursor.request.text(try cursor.take("ADDR"))
        case Filter.type: isOther = try otherType(&cursor)
        case Filter.skipMe:
            let value = cursor.option()
            guard value == Filter.yes || value == Filter.no else { throw cursor.syntaxError() }
            skipsMe = value == Filter.yes
        default: throw cursor.syntaxError()
        }
    }
    return broker.connections.values.filter { other in
        !isOther && id.map { $0 == other.id } ?? true && address.map { $0 == other.address } ?? true
            && !(skipsMe && other === connection)
    }
}

extension Broker {
    /// Ends a connection because `killer` asked for it: its own after the reply, another one at once, but not in the
    /// middle of a group.
    fileprivate func end(_ connection: Connection, for killer: Connection) {
        connection.isClosing = true
        guard connection !== killer else { return }
        loop.execute { connection.context?.close(promise: nil) }
    }
}

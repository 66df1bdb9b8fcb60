import MartletProtocol

/// What concerns the connection itself.
let connectionCommands = [
    Command(
        "HELLO", .atLeast(1), [.noAuth, .fast, .loading, .secret],
        usage: "[protover [AUTH username password] [SETNAME clientname]]",
        summary: "Chooses the protocol version and tells about the server.", group: "connection", reply: "a map",
        run: .local(hello)),
    Command(
        "AUTH", 2...3, [.noAuth, .fast, .loading, .secret], usage: "[username] password",
        summary: "Authenticates the connection.", group: "connection", reply: "OK", run: .local(authenticate)),
    Command(
        "PING", 1...2, [.fast, .whileSubscribed], usage: "[message]", summary: "Answers.",
        group: "connection", reply: "PONG, or the message",
        run: .local { (cursor, connection, _) throws(CommandError) in
            if connection.isListening {
                connection.output.array(2)
                connection.output.bulk("pong")
                return connection.output.bulk(cursor.hasMore ? try cursor.bytes("message") : [])
            }
            guard cursor.hasMore else { return connection.output.raw("+PONG\r\n") }
            connection.output.bulk(try cursor.bytes("message"))
        }),
    Command(
        "ECHO", .exactly(2), [.fast], usage: "message", summary: "Answers with the message.", group: "connection",
        reply: "the message",
        run: .local { (cursor, connection, _) throws(CommandError) in
            connection.output.bulk(try cursor.bytes("message"))
        }),
    Command(
        "SELECT", .exactly(2), [.fast, .loading], usage: "index", summary: "Chooses a database; there is only 0.",
        group: "connection", reply: "OK",
        run: .local { (cursor, connection, _) throws(CommandError) in
            let index = try cursor.integer("index")
            guard index == 0 else { throw CommandError(.error, "DB index is out of range") }
            connection.output.ok()
        }),
    Command(
        "QUIT", .atLeast(1), [.noAuth, .fast, .loading, .whileSubscribed], summary: "Ends the connection.",
        group: "connection",
        reply: "OK",
        run: .local { (_, connection, _) throws(CommandError) in
            connection.output.ok()
            connection.isClosing = true
        }),
    Command(
        "RESET", .exactly(1), [.noAuth, .fast, .loading, .whileSubscribed], summary: "Makes the connection as new.",
        group: "connection", reply: "RESET",
        run: .local { (_, connection, broker) throws(CommandError) in
            connection.output.version = .two
            connection.name = []
            broker.monitors[connection.id] = nil
            broker.hub.leaveAll(connection)
            (connection.lastReserve, connection.lastKeepalive) = (nil, nil)
            connection.isAuthenticated = broker.password == nil
            connection.output.raw("+RESET\r\n")
        }),
]

@Sendable private func hello(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    var version = connection.output.version
    if cursor.hasMore {
        let index = try cursor.take("protover")
        guard let number = cursor.request.integer(index) else {
            throw CommandError(.error, "Protocol version is not an integer or out of range")
        }
        guard let chosen = RESPVersion(rawValue: Int(clamping: number)) else {
            throw CommandError(.noProtocol, "unsupported protocol version")
        }
        version = chosen
    }
    var name: Bytes?
    var isAuthenticated = connection.isAuthenticated
    while let option = cursor.option() {
        if option == .auth, cursor.left >= 2 {
            try broker.check(user: try cursor.bytes("username"), password: try cursor.bytes("password"))
            isAuthenticated = true
        } else if option == .setname, cursor.hasMore {
            name = try clientName(&cursor)
        } else {
            throw CommandError(.error, "Syntax error in HELLO option '\(cursor.request.text(cursor.position - 1))'")
        }
    }
    guard isAuthenticated else {
        throw CommandError(
            .noAuth,
            "HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> "
                + "<pass> option can be used to authenticate the client and select the RESP protocol version at the "
                + "same time")
    }
    connection.isAuthenticated = true
    connection.output.version = version
    if let name { connection.name = name }
    describe(connection)
}

private func describe(_ connection: Connection) {
    connection.output.map(7)
    connection.output.field("server", text: "redis")
    connection.output.field("version", text: Version.redis)
    connection.output.field("proto", Int64(connection.output.version.rawValue))
    connection.output.field("id", Int64(connection.id))
    connection.output.field("mode", text: "standalone")
    connection.output.field("role", text: "master")
    connection.output.bulk("modules")
    connection.output.array(0)
}

@Sendable private func authenticate(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    let user = cursor.left == 2 ? try cursor.bytes("username") : Array("default".utf8)
    guard broker.password != nil else {
        throw CommandError(
            .error,
            "AUTH <password> called without any password configured for the default user. Are you sure your "
                + "configuration is correct?")
    }
    try broker.check(user: user, password: try cursor.bytes("password"))
    connection.isAuthenticated = true
    connection.output.ok()
}

/// A name that fits into one line of CLIENT LIST.
func clientName(_ cursor: inout ArgumentCursor) throws(CommandError) -> Bytes {
    let name = try cursor.bytes("name")
    guard name.count <= Limits.name.upperBound, name.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
        throw CommandError(.error, "Client names cannot contain spaces, newlines or special characters.")
    }
    return name
}

extension Broker {
    /// Refuses a wrong user or password. Without a configured password everything is right.
    func check(user: Bytes, password given: Bytes) throws(CommandError) {
        guard let password else { return }
        let isRight = password.matches(given)
        guard isRight, user == Array("default".utf8) else {
            statistics.authenticationFailures += 1
            throw CommandError(.wrongPassword, "invalid username-password pair or user is disabled.")
        }
    }
}

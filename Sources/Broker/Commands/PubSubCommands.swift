import MartletProtocol

/// Channels: what is published now is heard by who listens now.
let pubSubCommands = [
    Command(
        "SUBSCRIBE", .atLeast(2), [.whileSubscribed], usage: "channel [channel ...]",
        summary: "Listens to channels: task:<queue>:<STATE>, queue-updates, breaker:<name>:<state>, and any other.",
        group: "pubsub", reply: "for each channel: subscribe, the channel, how many there are now",
        run: .local { (cursor, connection, broker) throws(CommandError) in
            try subscribe(&cursor, connection, broker, isPattern: false)
        }),
    Command(
        "PSUBSCRIBE", .atLeast(2), [.whileSubscribed], usage: "pattern [pattern ...]",
        summary: "Listens to all channels that match.", group: "pubsub",
        reply: "for each pattern: psubscribe, the pattern, how many there are now",
        run: .local { (cursor, connection, broker) throws(CommandError) in
            try subscribe(&cursor, connection, broker, isPattern: true)
        }),
    Command(
        "UNSUBSCRIBE", .atLeast(1), [.whileSubscribed], usage: "[channel ...]",
        summary: "Listens to channels no more; to none if none is named.", group: "pubsub",
        reply: "for each channel: unsubscribe, the channel, how many are left",
        run: .local { (cursor, connection, broker) throws(CommandError) in
            try unsubscribe(&cursor, connection, broker, isPattern: false)
        }),
    Command(
        "PUNSUBSCRIBE", .atLeast(1), [.whileSubscribed], usage: "[pattern ...]",
        summary: "Listens to patterns no more; to none if none is named.", group: "pubsub",
        reply: "for each pattern: punsubscribe, the pattern, how many are left",
        run: .local { (cursor, connection, broker) throws(CommandError) in
            try unsubscribe(&cursor, connection, broker, isPattern: true)
        }),
    Command(
        "PUBLISH", .exactly(3), [.fast], usage: "channel message", summary: "Tells a message to who listens.",
        group: "pubsub", reply: "how many clients hear it",
        run: .local { (cursor, connection, broker) throws(CommandError) in
            let channel = try cursor.bytes("channel")
            let payload = try cursor.bytes("message")
            let audience = broker.hub.audience(of: channel)
            if audience > 0 { broker.hub.messages.append(.init(channel: channel, payload: payload)) }
            connection.output.integer(Int64(audience))
        }),
    Command(
        "PUBSUB", .atLeast(2), [], usage: "CHANNELS [pattern] | NUMSUB [channel ...] | NUMPAT",
        summary: "Tells what is listened to.", group: "pubsub", reply: "depends on the subcommand",
        run: .local(pubSub)),
]

private func subscribe(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker, isPattern: Bool
) throws(CommandError) {
    var names: [Bytes] = []
    while cursor.hasMore { names.append(try cursor.bytes(isPattern ? "pattern" : "channel")) }
    guard names.allSatisfy({ $0.count <= HubLimits.name }) else {
        throw CommandError(.error, "a channel or a pattern has at most \(HubLimits.name) bytes")
    }
    guard connection.subscriptions.count + names.count <= HubLimits.subscriptions else {
        throw CommandError(.error, "a connection listens to at most \(HubLimits.subscriptions) channels and patterns")
    }
    guard !isPattern || broker.hub.patternCount + names.count <= HubLimits.patterns else {
        throw CommandError(.error, "all clients together listen to at most \(HubLimits.patterns) patterns")
    }
    for name in names {
        broker.hub.enter(connection, name, isPattern: isPattern)
        confirm(isPattern ? "psubscribe" : "subscribe", name, connection)
    }
}

private func unsubscribe(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker, isPattern: Bool
) throws(CommandError) {
    let word: StaticString = isPattern ? "punsubscribe" : "unsubscribe"
    var names: [Bytes] = []
    while cursor.hasMore { names.append(try cursor.bytes("name")) }
    if names.isEmpty {
        names = Array(isPattern ? connection.subscriptions.patterns : connection.subscriptions.channels)
        if names.isEmpty { confirm(word, nil, connection) }
    }
    for name in names {
        broker.hub.leave(connection, name, isPattern: isPattern)
        confirm(word, name, connection)
    }
}

private func confirm(_ word: StaticString, _ name: Bytes?, _ connection: Connection) {
    connection.output.outOfBand(3)
    connection.output.bulk(word)
    name.map { connection.output.bulk($0) } ?? connection.output.null()
    connection.output.integer(Int64(connection.subscriptions.count))
}

@Sendable private func pubSub(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ broker: Broker
) throws(CommandError) {
    let name = cursor.position
    switch cursor.option() ?? .none {
    case Keyword("CHANNELS"):
        let pattern = cursor.hasMore ? Glob(try cursor.bytes("pattern")) : nil
        let channels = broker.hub.channels(matching: pattern)
        connection.output.array(channels.count)
        for channel in channels { connection.output.bulk(channel) }
    case Keyword("NUMSUB"):
        connection.output.array(cursor.left * 2)
        while cursor.hasMore {
            let channel = try cursor.bytes("channel")
            connection.output.bulk(channel)
            connection.output.integer(Int64(broker.hub.listeners(of: channel)))
        }
    case Keyword("NUMPAT"): connection.output.integer(Int64(broker.hub.patternCount))
    default:
        throw CommandError(
            .error, "unknown subcommand '\(cursor.request.text(name))': PUBSUB knows CHANNELS, NUMSUB and NUMPAT")
    }
    try cursor.end()
}

import MartletEngine
import MartletProtocol

/// Limits that anybody may ask before doing something.
let limitCommands = [
    Command(
        "LIMIT.SET", .atLeast(4), [.write, .denyOutOfMemory],
        usage: "name RATE n PER ms [BURST b] | SLOTS n [REQ nonce]",
        summary: "Sets a limit: so many tokens in a time, or so many slots at a time. Works at once.", group: "limit",
        reply: "OK", run: .write(parseLimitSet)),
    Command(
        "LIMIT.TAKE", .atLeast(2), [.write, .blocking, .fast],
        usage: "name [COST c] [HOLD ms] [BLOCK ms] [KEEPALIVE ms] [REQ nonce]",
        summary: "Takes tokens of a limit, or with HOLD slots, or waits for them, first come first served.",
        group: "limit",
        reply:
            "an array: limited 0 or 1, limit, remaining, retry_after_ms (-1: granted), reset_ms; "
            + "of slots the permit, null if there is none",
        run: .write(parseLimitTake)),
    Command(
        "LIMIT.GIVE", .atLeast(3), [.write, .fast], usage: "name permit [REQ nonce]",
        summary: "Gives slots back before their HOLD has passed.", group: "limit",
        reply: "an integer: 1, or 0 if the permit was not held any more", run: .write(parseLimitGive)),
    Command(
        "LIMIT.GET", .exactly(2), [.readonly, .fast], usage: "name",
        summary: "Tells how a limit stands, and how many callers and due tasks wait for it.",
        group: "limit", reply: "a map",
        run: .read { (cursor, _) throws(CommandError) in .limitInfo(try cursor.name("name")) }),
    Command(
        "LIMIT.LIST", .exactly(1), [.readonly], summary: "Tells how all limits stand.", group: "limit",
        reply: "an array of maps", run: .read { (_, _) throws(CommandError) in .limitList }),
    Command(
        "LIMIT.DEL", .atLeast(2), [.write], usage: "name [REQ nonce]",
        summary: "Removes a limit; who waits for it is told so.", group: "limit", reply: "OK",
        run: .write { (cursor, _) throws(CommandError) in
            .limitDelete(try nameRequest(&cursor, CommandTag.limitDelete))
        }),
    Command(
        "LIMIT.RESET", .atLeast(2), [.write, .fast], usage: "name [REQ nonce]",
        summary: "Makes a limit as if nothing had been taken.", group: "limit", reply: "OK",
        run: .write { (cursor, _) throws(CommandError) in
            .limitReset(try nameRequest(&cursor, CommandTag.limitReset))
        }),
]

/// A name and REQ.
func nameRequest(_ cursor: inout ArgumentCursor, _ tag: UInt64) throws(CommandError) -> NameRequest {
    NameRequest(name: try cursor.name("name"), request: try lastNonce(&cursor, tag))
}

private enum Option {
    static let rate = 0
    static let per = 1
    static let burst = 2
    static let slots = 3
    static let cost = 4
    static let hold = 5
    static let block = 6
    static let keepalive = 7
}

@Sendable private func parseLimitSet(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let name = try cursor.name("name")
    var (rate, per, burst, slots): (Int64?, Int64?, Int64?, Int64?)
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .rate {
            try cursor.once(Option.rate)
            rate = try cursor.integer("RATE", in: Limits.limitRate)
        } else if option == .per {
            try cursor.once(Option.per)
            per = try cursor.integer("PER", in: Limits.limitPer)
        } else if option == .burst {
            try cursor.once(Option.burst)
            burst = try cursor.integer("BURST", in: Limits.limitRate)
        } else if option == .slots {
            try cursor.once(Option.slots)
            slots = try cursor.integer("SLOTS", in: Limits.limitSlots)
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.limitSet)
        } else {
            throw cursor.syntaxError()
        }
    }
    let kind: LimitSetRequest.Kind
    switch (rate, per, slots) {
    case (let rate?, let per?, nil): kind = .tokens(rate: rate, per: per, burst: burst ?? rate)
    case (nil, nil, let slots?) where burst == nil: kind = .slots(slots)
    default: throw CommandError(.error, "syntax error near 'LIMIT.SET': say either RATE n PER ms [BURST b] or SLOTS n")
    }
    return .limitSet(LimitSetRequest(name: name, kind: kind, request: nonce?.seal(cursor.request)))
}

@Sendable private func parseLimitTake(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var take = LimitTakeRequest(name: try cursor.name("name"), caller: connection.id)
    var nonce: RequestNonceDraft?
    connection.keepalive = nil
    while let option = cursor.option() {
        if option == .cost {
            try cursor.once(Option.cost)
            take.cost = try cursor.integer("COST", in: Limits.limitRate)
        } else if option == .hold {
            try cursor.once(Option.hold)
            take.hold = try cursor.duration("HOLD", atLeast: 1)
        } else if option == .block {
            try cursor.once(Option.block)
            take.block = .upTo(try cursor.duration("BLOCK"))
        } else if option == .keepalive {
            try cursor.once(Option.keepalive)
            connection.keepalive = try cursor.duration("KEEPALIVE", atLeast: 1)
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.limitTake)
        } else {
            throw cursor.syntaxError()
        }
    }
    take.request = nonce?.seal(cursor.request)
    return .limitTake(take)
}

@Sendable private func parseLimitGive(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let (name, permit) = (try cursor.name("name"), try cursor.integer("permit"))
    return .limitGive(
        LimitGiveRequest(name: name, permit: permit, request: try lastNonce(&cursor, CommandTag.limitGive)))
}

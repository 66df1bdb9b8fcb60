import MartletEngine
import MartletProtocol

/// Breakers: nothing is tried for a while after it failed too often.
let breakerCommands = [
    Command(
        "BREAKER.SET", .atLeast(10), [.write, .denyOutOfMemory],
        usage: "name FAILS n PER ms COOL ms PROBES n [KINDS n k ...] [REQ nonce]",
        summary: "Sets a breaker: FAILS failures in PER open it, after COOL it lets PROBES through.",
        group: "breaker", reply: "OK", run: .write(parseBreakerSet)),
    Command(
        "BREAKER.ALLOW", .atLeast(2), [.write, .fast], usage: "name [REQ nonce]",
        summary: "Asks whether something may be tried; half open, it counts as a probe.", group: "breaker",
        reply: "a map {state, allowed}", run: .write(breakerVerb(.allow, CommandTag.breakerAllow))),
    Command(
        "BREAKER.REPORT", .atLeast(3), [.write, .fast], usage: "name OK|FAIL [REQ nonce]",
        summary: "Tells how it went.", group: "breaker", reply: "OK", run: .write(parseReport)),
    Command(
        "BREAKER.TRIP", .atLeast(2), [.write, .fast], usage: "name [REQ nonce]",
        summary: "Opens a breaker now.", group: "breaker", reply: "OK",
        run: .write(breakerVerb(.trip, CommandTag.breakerTrip))),
    Command(
        "BREAKER.RESET", .atLeast(2), [.write, .fast], usage: "name [REQ nonce]",
        summary: "Closes a breaker and forgets its failures.", group: "breaker", reply: "OK",
        run: .write(breakerVerb(.reset, CommandTag.breakerReset))),
    Command(
        "BREAKER.GET", .exactly(2), [.readonly, .fast], usage: "name", summary: "Tells how a breaker stands.",
        group: "breaker", reply: "a map",
        run: .read { (cursor, _) throws(CommandError) in .breakerInfo(try cursor.name("name")) }),
    Command(
        "BREAKER.LIST", .exactly(1), [.readonly], summary: "Tells how all breakers stand.", group: "breaker",
        reply: "an array of maps", run: .read { (_, _) throws(CommandError) in .breakerList }),
    Command(
        "BREAKER.DEL", .atLeast(2), [.write], usage: "name [REQ nonce]",
        summary: "Removes a breaker; what it held back goes on.", group: "breaker", reply: "OK",
        run: .write(breakerVerb(.delete, CommandTag.breakerDelete))),
]

private func breakerVerb(
    _ verb: BreakerRequest.Verb, _ tag: UInt64
) -> @Sendable (inout ArgumentCursor, Connection) throws(CommandError) -> Operation {
    { (cursor, _) throws(CommandError) in
        let name = try nameRequest(&cursor, tag)
        return .breaker(BreakerRequest(name: name.name, verb: verb, request: name.request))
    }
}

@Sendable private func parseReport(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let name = try cursor.name("name")
    let verb: BreakerRequest.Verb
    if cursor.skip(.ok) {
        verb = .succeed
    } else if cursor.skip(.fail) {
        verb = .fail
    } else {
        _ = try cursor.take("OK or FAIL")
        throw cursor.syntaxError()
    }
    let request = try lastNonce(&cursor, CommandTag.breakerReport)
    return .breaker(BreakerRequest(name: name, verb: verb, request: request))
}

private enum Option {
    static let fails = 0
    static let per = 1
    static let cool = 2
    static let probes = 3
    static let kinds = 4
}

@Sendable private func parseBreakerSet(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let name = try cursor.name("name")
    var (fails, per, cool, probes): (Int64?, Int64?, Int64?, Int64?)
    var kinds: [Bytes] = []
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .fails {
            try cursor.once(Option.fails)
            fails = try cursor.integer("FAILS", in: Limits.breakerCount)
        } else if option == .per {
            try cursor.once(Option.per)
            per = try cursor.integer("PER", in: Limits.limitPer)
        } else if option == .cool {
            try cursor.once(Option.cool)
            cool = try cursor.integer("COOL", in: Limits.limitPer)
        } else if option == .probes {
            try cursor.once(Option.probes)
            probes = try cursor.integer("PROBES", in: Limits.breakerCount)
        } else if option == .kinds {
            try cursor.once(Option.kinds)
            for _ in 0..<(try cursor.count("KINDS", in: Limits.breakerKinds)) { kinds.append(try cursor.name("KIND")) }
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.breakerSet)
        } else {
            throw cursor.syntaxError()
        }
    }
    guard let fails, let per, let cool, let probes else {
        throw CommandError(.error, "syntax error near 'BREAKER.SET': FAILS, PER, COOL and PROBES are all needed")
    }
    let settings = BreakerSettings(fails: fails, per: per, cool: cool, probes: probes, kinds: kinds)
    return .breakerSet(BreakerSetRequest(name: name, settings: settings, request: nonce?.seal(cursor.request)))
}

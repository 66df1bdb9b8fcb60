import MartletEngine
import MartletProtocol

/// Workers as a whole: who they are, how they do, what they are to do.
let workerCommands = [
    Command(
        "WORKER.HELLO", .atLeast(2), [.write, .fast],
        usage: "id [HOST h] [PID p] [SLOTS n] [QUEUES n queue [queue ...]] [LIB name version] [REQ nonce]",
        summary: "Introduces a worker; what it was told before is forgotten.", group: "worker", reply: "OK",
        run: .write(parseHello)),
    Command(
        "WORKER.BEAT", .atLeast(2), [.write, .fast],
        usage: "id [RSS bytes] [BUSY n] [EXTEND n id token [id token ...]] [REQ nonce]",
        summary: "Says that a worker is alive, and extends its leases by the lease length of their hand-outs.",
        group: "worker", reply: "a map {state, cancel, lost}", run: .write(parseBeat)),
    Command(
        "WORKER.BYE", .atLeast(2), [.write, .fast], usage: "id [REQ nonce]",
        summary: "Says that a worker ends: it is known no more. One that only falls silent is called stale.",
        group: "worker", reply: "OK",
        run: .write { (cursor, _) throws(CommandError) in
            let name = try cursor.name("id")
            return .bye(NameRequest(name: name, request: try lastNonce(&cursor, CommandTag.bye)))
        }),
    Command(
        "WORKER.LIST", .exactly(1), [.readonly], summary: "Tells of every worker that is known.", group: "worker",
        reply: "an array of maps as of WORKER.INFO", run: .read { (_, _) throws(CommandError) in .workerList }),
    Command(
        "WORKER.INFO", .exactly(2), [.readonly, .fast], usage: "id", summary: "Tells of a worker.", group: "worker",
        reply: "a map {id, host, pid, state, slots, busy, queues, rss, last_beat, started, completed, failed, tasks}",
        run: .read { (cursor, _) throws(CommandError) in .workerInfo(try cursor.name("id")) }),
    Command(
        "WORKER.QUIET", .atLeast(2), [.write, .fast], usage: "id | * [REQ nonce]",
        summary: "Tells a worker, or all, with the next beat to take nothing new.", group: "worker", reply: "OK",
        run: .write { (cursor, _) throws(CommandError) in try parseOrder(&cursor, .quiet, CommandTag.quiet) }),
    Command(
        "WORKER.STOP", .atLeast(2), [.write, .fast], usage: "id | * [REQ nonce]",
        summary: "Tells a worker, or all, with the next beat to finish what is in hand and end.", group: "worker",
        reply: "OK", run: .write { (cursor, _) throws(CommandError) in try parseOrder(&cursor, .stop, CommandTag.stop) }
    ),
]

private enum Option {
    static let host = (Keyword("HOST"), 0)
    static let pid = (Keyword("PID"), 1)
    static let slots = (Keyword("SLOTS"), 2)
    static let queues = (Keyword("QUEUES"), 3)
    static let library = (Keyword("LIB"), 4)
    static let rss = (Keyword("RSS"), 5)
    static let busy = (Keyword("BUSY"), 6)
    static let extend = (Keyword("EXTEND"), 7)
}

@Sendable private func parseHello(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var hello = HelloRequest(worker: try cursor.name("id"))
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == Option.host.0 {
            try cursor.once(Option.host.1)
            hello.host = try cursor.name("HOST")
        } else if option == Option.pid.0 {
            try cursor.once(Option.pid.1)
            hello.process = try cursor.integer("PID", in: 0...Int64.max)
        } else if option == Option.slots.0 {
            try cursor.once(Option.slots.1)
            hello.slots = try cursor.integer("SLOTS", in: 0...Int64.max)
        } else if option == Option.queues.0 {
            try cursor.once(Option.queues.1)
            let count = try cursor.count("QUEUES", in: Limits.workerQueues)
            for _ in 0..<count { hello.queues.append(try cursor.queue()) }
        } else if option == Option.library.0 {
            try cursor.once(Option.library.1)
            hello.library = (try cursor.name("LIB name"), try cursor.name("LIB version"))
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.hello)
        } else {
            throw cursor.syntaxError()
        }
    }
    hello.request = nonce?.seal(cursor.request)
    return .hello(hello)
}

@Sendable private func parseBeat(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var beat = BeatRequest(worker: try cursor.name("id"))
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == Option.rss.0 {
            try cursor.once(Option.rss.1)
            beat.residentBytes = try cursor.integer("RSS", in: 0...Int64.max)
        } else if option == Option.busy.0 {
            try cursor.once(Option.busy.1)
            beat.busy = try cursor.integer("BUSY", in: 0...Int64.max)
        } else if option == Option.extend.0 {
            try cursor.once(Option.extend.1)
            let count = try cursor.count("EXTEND", in: Limits.beatCount, each: 2)
            beat.extend.reserveCapacity(count)
            for _ in 0..<count {
                let index = cursor.position
                guard let id = try cursor.taskID() else {
                    throw CommandError(.noTask, "'\(cursor.request.text(index))' is no task id")
                }
                beat.extend.append((id, try cursor.token()))
            }
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.beat)
        } else {
            throw cursor.syntaxError()
        }
    }
    beat.request = nonce?.seal(cursor.request)
    return .beat(beat)
}

private func parseOrder(
    _ cursor: inout ArgumentCursor, _ order: WorkerOrder, _ tag: UInt64
) throws(CommandError) -> Operation {
    let name = try cursor.name("id")
    let nonce = try lastNonce(&cursor, tag)
    return .order(OrderRequest(worker: name == [UInt8(ascii: "*")] ? nil : name, order: order, request: nonce))
}

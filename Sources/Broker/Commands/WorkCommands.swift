import MartletEngine
import MartletProtocol

/// What workers say.
let workCommands = [
    Command(
        "TASK.RESERVE", .atLeast(3), [.write, .handsOut, .blocking],
        usage:
            "numqueues queue [queue ...] [COUNT n] [BLOCK ms] [LEASE ms] [WORKER id] "
            + "[MODE STRICT | ORDERED | WEIGHTED w [w ...]] [KEEPALIVE ms] [REQ nonce]",
        summary: "Takes the next tasks of some queues, or waits for one.", group: "worker",
        reply: "an array of maps; nothing: *-1", run: .write(parseReserve)),
    Command(
        "TASK.ACK", .atLeast(3), [.write, .blocking, .fast],
        usage: "id token [RESULT bytes] [ADD k argument ...] [REQ nonce] [NEXT [BLOCK ms]]",
        summary:
            "Marks a task in hand as completed; ADD, as often as one likes, adds a task with the k arguments of "
            + "TASK.ADD in the same transaction; NEXT reserves again.", group: "worker",
        reply: "OK; with NEXT the reply of TASK.RESERVE", run: .write(parseAcknowledge)),
    Command(
        "TASK.MACK", .atLeast(4), [.write], usage: "n id token [id token ...] [REQ nonce]",
        summary: "Marks many tasks in hand as completed.", group: "worker",
        reply: "an array of OK or error", run: .write(parseAcknowledgeMany)),
    Command(
        "TASK.FAIL", .atLeast(4), [.write, .fast],
        usage: "id token message [KIND k] [TRACE text] [RETRY ms | DEAD] [REQ nonce]",
        summary: "Ends an attempt as failed.", group: "worker",
        reply: "a map {state, attempt, retries_left, run_at}", run: .write(parseFail)),
    Command(
        "TASK.RELEASE", .atLeast(3), [.write, .fast], usage: "id token [DELAY ms] [PRIORITY p] [REQ nonce]",
        summary: "Gives a task in hand back unattempted.", group: "worker", reply: "OK", run: .write(parseRelease)),
    Command(
        "TASK.TOUCH", .atLeast(3), [.write, .fast],
        usage: "id token [LEASE ms] [PROGRESS 0..100] [NOTE text] [REQ nonce]",
        summary: "Extends the lease of a task in hand; without LEASE by that of its hand-out, if that is longer.",
        group: "worker", reply: "a map {deadline, cancel}",
        run: .write(parseTouch)),
]

@Sendable private func parseReserve(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let queues = try cursor.count("numqueues", in: Limits.queuesOfOneCommand)
    var reserve = ReserveRequest(queues: [], caller: connection.id)
    reserve.queues.reserveCapacity(queues)
    for _ in 0..<queues { reserve.queues.append(try cursor.queue()) }
    var nonce: RequestNonceDraft?
    var keepalive: Milliseconds?
    while let option = cursor.option() {
        if option == .count {
            try cursor.once(OptionNumber.count)
            reserve.count = Int(try cursor.integer("COUNT", in: Limits.reserveCount))
        } else if option == .block {
            try cursor.once(OptionNumber.block)
            reserve.block = .upTo(try cursor.duration("BLOCK"))
        } else if option == .lease {
            reserve.lease = try cursor.lease()
        } else if option == .worker {
            try cursor.once(OptionNumber.worker)
            reserve.worker = try cursor.name("WORKER")
        } else if option == .mode {
            try cursor.once(OptionNumber.mode)
            reserve.mode = try mode(&cursor, queues: queues)
        } else if option == .keepalive {
            try cursor.once(OptionNumber.keepalive)
            keepalive = try cursor.duration("KEEPALIVE", atLeast: 1)
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.reserve)
        } else {
            throw cursor.syntaxError()
        }
    }
    connection.lastReserve = reserve
    (connection.lastKeepalive, connection.keepalive) = (keepalive, keepalive)
    reserve.request = nonce?.seal(cursor.request)
    return .reserve(reserve)
}

/// How to choose among so many queues.
private func mode(_ cursor: inout ArgumentCursor, queues: Int) throws(CommandError) -> ReserveMode {
    if cursor.skip(.strict) { return .strict }
    if cursor.skip(.ordered) { return .ordered }
    guard cursor.skip(.weighted) else {
        _ = cursor.option()
        throw cursor.syntaxError()
    }
    var weights: [Int64] = []
    for _ in 0..<queues { weights.append(try cursor.integer("WEIGHTED", in: Limits.weight)) }
    return .weighted(weights)
}

@Sendable private func parseAcknowledge(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var acknowledge = AcknowledgeRequest(id: try cursor.taskID(), token: try cursor.token())
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .result {
            try cursor.once(OptionNumber.result)
            acknowledge.result = try cursor.payload("RESULT")
        } else if option == .add {
            guard acknowledge.children.count < Limits.children else {
                throw CommandError(.error, "at most \(Limits.children) children are added by one ACK")
            }
            acknowledge.children.append(try parseChild(&cursor))
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.acknowledge)
        } else if option == .next {
            try cursor.once(OptionNumber.next)
            acknowledge.next = try next(&cursor, connection)
        } else {
            throw cursor.syntaxError()
        }
    }
    acknowledge.request = nonce?.seal(cursor.request)
    return .acknowledge(acknowledge)
}

/// NEXT, which has just been passed: this connection's last RESERVE again, waiting only as long as said here.
private func next(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> ReserveRequest {
    guard var reserve = connection.lastReserve else {
        throw CommandError(.error, "NEXT repeats this connection's last TASK.RESERVE, and there was none")
    }
    reserve.block = .no
    connection.keepalive = connection.lastKeepalive
    if cursor.skip(.block) { reserve.block = .upTo(try cursor.duration("BLOCK")) }
    return reserve
}

@Sendable private func parseAcknowledgeMany(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let count = try cursor.count("n", in: Limits.manyCount, each: 2)
    var tasks: [(id: TaskID?, token: Int64)] = []
    tasks.reserveCapacity(count)
    for _ in 0..<count { tasks.append((try cursor.taskID(), try cursor.token())) }
    let nonce = try lastNonce(&cursor, CommandTag.acknowledgeMany)
    return .acknowledgeMany(AcknowledgeManyRequest(tasks: tasks, request: nonce))
}

/// REQ as the only option there is.
func lastNonce(_ cursor: inout ArgumentCursor, _ tag: UInt64) throws(CommandError) -> RequestNonce? {
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        guard option == .req else { throw cursor.syntaxError() }
        nonce = try cursor.nonce(tag)
    }
    return nonce?.seal(cursor.request)
}

@Sendable private func parseFail(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var fail = FailRequest(
        id: try cursor.taskID(), token: try cursor.token(),
        message: try cursor.bytes("message", cutAt: Limits.failureMessage))
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .kind {
            try cursor.once(OptionNumber.kind)
            fail.kind = try cursor.name("KIND")
        } else if option == .trace {
            try cursor.once(OptionNumber.trace)
            fail.trace = try cursor.bytes("TRACE", cutAt: Limits.failureTrace)
        } else if option == .retry {
            try cursor.once(OptionNumber.after)
            fail.next = .retry(try cursor.duration("RETRY"))
        } else if option == .dead {
            try cursor.once(OptionNumber.after)
            fail.next = .dead
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.fail)
        } else {
            throw cursor.syntaxError()
        }
    }
    fail.request = nonce?.seal(cursor.request)
    return .fail(fail)
}

@Sendable private func parseRelease(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var release = ReleaseRequest(id: try cursor.taskID(), token: try cursor.token())
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .delay {
            try cursor.once(OptionNumber.due)
            release.delay = try cursor.duration("DELAY")
        } else if option == .priority {
            release.priority = try cursor.priority()
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.release)
        } else {
            throw cursor.syntaxError()
        }
    }
    release.request = nonce?.seal(cursor.request)
    return .release(release)
}

@Sendable private func parseTouch(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var touch = TouchRequest(id: try cursor.taskID(), token: try cursor.token())
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .lease {
            touch.lease = try cursor.lease()
        } else if option == .progress {
            try cursor.once(OptionNumber.progress)
            touch.progress = Int(try cursor.integer("PROGRESS", in: 0...100))
        } else if option == .note {
            try cursor.once(OptionNumber.note)
            touch.note = try cursor.bytes("NOTE", cutAt: Limits.note)
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.touch)
        } else {
            throw cursor.syntaxError()
        }
    }
    touch.request = nonce?.seal(cursor.request)
    return .touch(touch)
}

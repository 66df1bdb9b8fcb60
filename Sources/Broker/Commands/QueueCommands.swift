import MartletEngine
import MartletProtocol

/// What is told and said of queues.
let queueCommands = [
    Command(
        "QUEUE.INFO", .exactly(2), [.readonly, .fast], usage: "queue",
        summary:
            "Tells a queue's counts. Rates are of the last minute (null: 500 other queues are watched), percentiles "
            + "of up to two (null: there was nothing to measure). Both begin anew with the broker.",
        group: "queue", reply: "a map",
        run: .read { (cursor, _) throws(CommandError) in .queueInfo(try cursor.queue()) }),
    Command(
        "QUEUE.LIST", .exactly(1), [.readonly],
        summary: "Tells the counts of every queue.", group: "queue", reply: "an array of maps",
        run: .read { (_, _) throws(CommandError) in .queueList }),
    Command(
        "QUEUE.SET", .atLeast(4), [.write, .denyOutOfMemory],
        usage:
            "queue [PRIORITY p] [RETRIES n] [BACKOFF EXPONENTIAL base cap | LINEAR step cap | FIXED ms | "
            + "LIST n ms ...] [JITTER pct] [LEASE ms] [TIMEOUT ms] [TTL ms] [KEEP ms] [KEEPMAX n] "
            + "[RETRYSHARE pct | ADAPTIVE] [DLQMAX n] [MAXLEN n] [CONCURRENCY n] [GROUPCONCURRENCY n] [AGING ms] "
            + "[LIMIT name] [BREAKER name] [FAIR on | off] [REQ nonce]",
        summary: "Sets options of a queue; DEFAULT as a value takes one back. Tasks keep what they were added with.",
        group: "queue", reply: "OK", run: .write(parseSet)),
    Command(
        "QUEUE.GET", .exactly(2), [.readonly, .fast], usage: "queue",
        summary: "Tells the options of a queue.", group: "queue", reply: "a map",
        run: .read { (cursor, _) throws(CommandError) in .queueOptions(try cursor.queue()) }),
    Command(
        "QUEUE.PAUSE", .atLeast(2), [.write, .denyOutOfMemory], usage: "queue [IN | OUT | ALL] [FOR ms] [REQ nonce]",
        summary: "Stops hand-outs of a queue (OUT), or adding to it (IN), or both.", group: "queue", reply: "OK",
        run: .write(parsePause)),
    Command(
        "QUEUE.RESUME", .atLeast(2), [.write, .fast], usage: "queue [REQ nonce]",
        summary: "Ends every pause of a queue, and its draining.", group: "queue", reply: "OK",
        run: .write { (cursor, connection) throws(CommandError) in
            .queueResume(try queueRequest(&cursor, connection, CommandTag.queueResume))
        }),
    Command(
        "QUEUE.DRAIN", .atLeast(2), [.write, .blocking], usage: "queue [BLOCK ms] [REQ nonce]",
        summary: "Takes no more tasks until QUEUE.RESUME; with BLOCK waits until those there are have ended.",
        group: "queue", reply: "OK; null if BLOCK passed, or the queue was resumed, before", run: .write(parseDrain)),
    Command(
        "QUEUE.PURGE", .atLeast(4), [.write, .blocking], usage: "queue STATE s [REQ nonce]",
        summary: "Removes a queue's tasks of one state.", group: "queue", reply: "an integer: how many",
        run: .write(parsePurge)),
    Command(
        "QUEUE.DEL", .atLeast(2), [.write, .blocking], usage: "queue [REQ nonce]",
        summary: "Removes a queue with all its tasks, none of which may be ACTIVE.", group: "queue", reply: "OK",
        run: .write { (cursor, connection) throws(CommandError) in
            .queueDelete(try queueRequest(&cursor, connection, CommandTag.queueDelete))
        }),
]

/// A queue and REQ.
private func queueRequest(
    _ cursor: inout ArgumentCursor, _ connection: Connection, _ tag: UInt64
) throws(CommandError) -> QueueRequest {
    let queue = try cursor.queue()
    return QueueRequest(queue: queue, request: try lastNonce(&cursor, tag), caller: connection.id)
}

@Sendable private func parseSet(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var set = QueueSetRequest(queue: try cursor.queue(), given: [], options: QueueOptions())
    var nonce: RequestNonceDraft?
    while let word = cursor.option() {
        if word == .req {
            nonce = try cursor.nonce(CommandTag.queueSet)
            continue
        }
        guard let option = QueueOption.allCases.first(where: { Keyword($0.rawValue) == word }) else {
            throw cursor.syntaxError()
        }
        guard !set.given.contains(option) else { throw cursor.syntaxError() }
        set.given.append(option)
        if cursor.skip(.byDefault) { continue }
        switch option {
        case .keepMax: set.options.keepMax = try cursor.integer("KEEPMAX", in: 0...Limits.latestTime)
        case .deadMax: set.options.deadMax = try cursor.integer("DLQMAX", in: 0...Limits.latestTime)
        case .retryShare where cursor.skip(.adaptive): break
        case .maxLength: set.options.maxLength = try cursor.integer("MAXLEN", in: 0...Limits.latestTime)
        case .concurrency: set.options.concurrency = try cursor.integer("CONCURRENCY", in: 1...Limits.latestTime)
        case .groupConcurrency:
            set.options.groupConcurrency = try cursor.integer("GROUPCONCURRENCY", in: 1...Limits.latestTime)
        case .aging: set.options.aging = try cursor.duration("AGING", atLeast: 1)
        case .retryShare: set.options.retryShare = Int(try cursor.integer("RETRYSHARE", in: 0...100))
        case .limit: set.options.limit = try cursor.name("LIMIT")
        case .breaker: set.options.breaker = try cursor.name("BREAKER")
        case .fair: set.options.fair = try cursor.onOrOff()
        default: try cursor.taskOption(word, &set.options.task)
        }
    }
    guard !set.given.isEmpty else { throw CommandError(.error, "no option is given; see QUEUE.GET for their names") }
    set.request = nonce?.seal(cursor.request)
    return .queueSet(set)
}

@Sendable private func parsePause(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var pause = QueuePauseRequest(queue: try cursor.queue(), direction: .handingOut)
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .adding || option == .handingOut || option == .both {
            try cursor.once(OptionNumber.direction)
            pause.direction = option == .adding ? .adding : option == .both ? .both : .handingOut
        } else if option == .for {
            try cursor.once(OptionNumber.span)
            pause.span = try cursor.duration("FOR", atLeast: 1)
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.queuePause)
        } else {
            throw cursor.syntaxError()
        }
    }
    pause.request = nonce?.seal(cursor.request)
    return .queuePause(pause)
}

@Sendable private func parseDrain(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var drain = QueueDrainRequest(queue: try cursor.queue(), caller: connection.id)
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .block {
            try cursor.once(OptionNumber.block)
            drain.block = .upTo(try cursor.duration("BLOCK"))
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.queueDrain)
        } else {
            throw cursor.syntaxError()
        }
    }
    drain.request = nonce?.seal(cursor.request)
    return .queueDrain(drain)
}

@Sendable private func parsePurge(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let queue = try cursor.queue()
    var state: TaskState?
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .state {
            try cursor.once(OptionNumber.state)
            state = try cursor.taskState()
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.queuePurge)
        } else {
            throw cursor.syntaxError()
        }
    }
    guard let state else { throw CommandError(.error, "syntax error near 'STATE': say which tasks") }
    return .bulk(
        BulkRequest(
            queue: queue, verb: .purge, filter: BulkFilter(state: state), request: nonce?.seal(cursor.request),
            caller: connection.id))
}

extension ArgumentCursor {
    /// `on` or `off`, in either case.
    mutating func onOrOff() throws(CommandError) -> Bool {
        if skip(.on) { return true }
        if skip(.off) { return false }
        _ = option()
        throw syntaxError()
    }

    /// The name of a task's state, in either case.
    mutating func taskState(orElse others: String = "") throws(CommandError) -> TaskState {
        let index = try take("STATE")
        let word = request.keyword(index)
        if let state = TaskState.allCases.first(where: { Keyword($0.name) == word }) { return state }
        let names = TaskState.allCases.map(\.name).joined(separator: ", ")
        throw CommandError(.error, "no such state '\(request.text(index))'; states are \(names)\(others)")
    }
}

import MartletEngine
import MartletProtocol

/// Tasks that run again, dead letters, and what is done to many tasks at once.
let operationCommands = [
    Command(
        "TASK.RETRY", .atLeast(2), [.write, .fast], usage: "id [RESET] [REQ nonce]",
        summary: "Lets a task that ended, or is scheduled, run again now.", group: "task", reply: "its new state",
        run: .write(parseRetry)),
    Command(
        "TASK.OPS", .exactly(1), [.readonly], summary: "Lists the operations on many tasks, the newest last.",
        group: "task", reply: "an array of maps {id, verb, state, matched, done, failed, rate, started, ended}",
        run: .read { (_, _) throws(CommandError) in .operations }),
    Command(
        "TASK.STOPOP", .atLeast(2), [.write], usage: "id [REQ nonce]",
        summary: "Stops an operation where it is.", group: "task", reply: "OK", run: .write(parseStop)),
    Command(
        "DLQ.LIST", .atLeast(2), [.readonly], usage: "queue [BY KIND] [CURSOR c] [COUNT n]",
        summary: "Lists dead letters, oldest first, or the kinds of error they have.", group: "dlq",
        reply: "as TASK.LIST; BY KIND [cursor, [maps {kind, count, newest_at, message}]]",
        run: .read(parseDeadList)),
    Command(
        "DLQ.REPLAY", .atLeast(2), [.write, .denyOutOfMemory, .blocking],
        usage: "queue [TYPE t] [KIND k] [MAX n] [RATE n] [DRYRUN] [REQ nonce]",
        summary: "Lets dead letters run again, in the background.", group: "dlq",
        reply: "the operation's id; with DRYRUN an integer: how many it would be", run: .write(parseReplay)),
    Command(
        "DLQ.PURGE", .atLeast(2), [.write, .blocking], usage: "queue [KIND k] [REQ nonce]",
        summary: "Removes dead letters.", group: "dlq", reply: "an integer: how many", run: .write(parseDeadPurge)),
]

/// How operations are named on the wire.
enum OperationID {
    private static let prefix = Bytes("op-".utf8)

    static func text(_ number: UInt64) -> String { "op-\(number)" }

    static func number(_ text: Bytes) -> UInt64? {
        guard text.starts(with: prefix) else { return nil }
        return UInt64(String(decoding: text.dropFirst(prefix.count), as: UTF8.self))
    }
}

@Sendable private func parseRetry(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var retry = RetryRequest(id: try cursor.taskID())
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .reset {
            try cursor.once(OptionNumber.reset)
            retry.reset = true
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.retry)
        } else {
            throw cursor.syntaxError()
        }
    }
    retry.request = nonce?.seal(cursor.request)
    return .retry(retry)
}

@Sendable private func parseStop(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let id = try cursor.name("id")
    return .stopOperation(
        StopOperationRequest(
            id: id, number: OperationID.number(id), request: try lastNonce(&cursor, CommandTag.stopOperation)))
}

@Sendable private func parseDeadList(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let queue = try cursor.queue()
    var position = Bytes("0".utf8)
    var count: Int?
    var isByKind = false
    while let option = cursor.option() {
        if option == .by {
            try cursor.once(OptionNumber.by)
            guard cursor.skip(.kind) else {
                _ = cursor.option()
                throw cursor.syntaxError()
            }
            isByKind = true
        } else if option == .cursor {
            try cursor.once(OptionNumber.cursor)
            position = try cursor.bytes("CURSOR", cutAt: 64)
        } else if option == .count {
            try cursor.once(OptionNumber.count)
            count = Int(try cursor.integer("COUNT", in: Limits.listCount))
        } else {
            throw cursor.syntaxError()
        }
    }
    if isByKind {
        guard let place = UInt64(String(decoding: position, as: UTF8.self)) else { throw .invalidCursor }
        return .deadKinds(DeadKindsRequest(queue: queue, cursor: place, count: min(count ?? 100, 1_000)))
    }
    var list = ListRequest(queue: queue)
    (list.state, list.order) = (.state(.dead), .ended)
    list.cursor = try listPlace(position)
    if let count { list.count = count }
    return .list(list)
}

@Sendable private func parseReplay(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var bulk = BulkRequest(
        queue: try cursor.queue(), verb: .replay, filter: BulkFilter(state: .dead), caller: connection.id)
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .type {
            try cursor.once(OptionNumber.type)
            bulk.filter.type = try cursor.name("TYPE")
        } else if try !cursor.pace(option, &bulk) {
            try cursor.kindOrNonce(option, &bulk.filter, &nonce, CommandTag.deadReplay)
        }
    }
    bulk.request = nonce?.seal(cursor.request)
    return .bulk(bulk)
}

@Sendable private func parseDeadPurge(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var bulk = BulkRequest(
        queue: try cursor.queue(), verb: .purge, filter: BulkFilter(state: .dead), caller: connection.id)
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        try cursor.kindOrNonce(option, &bulk.filter, &nonce, CommandTag.deadPurge)
    }
    bulk.request = nonce?.seal(cursor.request)
    return .bulk(bulk)
}

extension ArgumentCursor {
    /// MAX, RATE and DRYRUN; `false`: it is none of them.
    mutating func pace(_ option: Keyword, _ bulk: inout BulkRequest) throws(CommandError) -> Bool {
        if option == .most {
            try once(OptionNumber.most)
            bulk.filter.most = try integer("MAX", in: 1...Limits.latestTime)
        } else if option == .rate {
            try once(OptionNumber.rate)
            bulk.rate = try integer("RATE", in: Limits.operationRate)
        } else if option == .dryRun {
            try once(OptionNumber.dryRun)
            bulk.isDryRun = true
        } else {
            return false
        }
        return true
    }

    fileprivate mutating func kindOrNonce(
        _ option: Keyword, _ filter: inout BulkFilter, _ nonce: inout RequestNonceDraft?, _ tag: UInt64
    ) throws(CommandError) {
        if option == .kind {
            try once(OptionNumber.kind)
            filter.kind = try name("KIND")
        } else if option == .req {
            nonce = try self.nonce(tag)
        } else {
            throw syntaxError()
        }
    }
}

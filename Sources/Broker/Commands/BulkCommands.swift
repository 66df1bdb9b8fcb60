import MartletEngine
import MartletProtocol

/// TASK.BULK: whatever can be done to one task, done to all that match, in the background.
let bulkCommands = [
    Command(
        "TASK.BULK", .atLeast(6), [.write, .denyOutOfMemory, .blocking],
        usage: "RETRY|DEL|CANCEL|MOVE [PRIORITY p] [AT unix-ms] [QUEUE q] WHERE QUEUE q STATE s [TYPE t] "
            + "[TAG t] [KIND k] [OLDER ms] [MAX n] [RATE n] [DRYRUN] [REQ nonce]",
        summary: "Does to all tasks of a queue and a state what TASK.RETRY, DEL, CANCEL or MOVE does to one, in the "
            + "background; OLDER: added longer ago than that; RATE: tasks a second.",
        group: "task", reply: "the operation's id; with DRYRUN an integer: how many it would be",
        run: .write(parseBulk))
]

private let verbs: [(Keyword, BulkVerb)] = [
    (.retry, .retry), (Keyword("DEL"), .delete), (Keyword("CANCEL"), .cancel), (Keyword("MOVE"), .move),
]

private let `where` = Keyword("WHERE")
private let older = Keyword("OLDER")

@Sendable private func parseBulk(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let word = cursor.option()
    guard let verb = verbs.first(where: { $0.0 == word })?.1 else { throw cursor.syntaxError() }
    let target = verb == .move ? try target(&cursor) : nil
    guard cursor.skip(`where`) else { throw CommandError(.error, "syntax error near 'WHERE': say which tasks") }
    var queue: Bytes?
    var state: TaskState?
    var bulk = BulkRequest(queue: [], verb: verb, filter: BulkFilter(state: .pending), caller: connection.id)
    bulk.target = target
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .queue {
            guard queue == nil else { throw cursor.syntaxError() }
            queue = try cursor.queue("QUEUE")
        } else if option == .state {
            try cursor.once(OptionNumber.state)
            state = try cursor.taskState()
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.bulk)
        } else if try !cursor.pace(option, &bulk) {
            try cursor.filter(option, &bulk.filter)
        }
    }
    guard let queue else { throw CommandError(.error, "syntax error near 'QUEUE': say of which queue") }
    guard let state else { throw CommandError(.error, "syntax error near 'STATE': say in which state") }
    (bulk.queue, bulk.filter.state) = (queue, state)
    bulk.request = nonce?.seal(cursor.request)
    return .bulk(bulk)
}

/// Where MOVE moves to: its options up to WHERE.
private func target(_ cursor: inout ArgumentCursor) throws(CommandError) -> BulkTarget {
    var target = BulkTarget()
    while true {
        if cursor.skip(.priority) {
            target.priority = try cursor.priority()
        } else if cursor.skip(.at) {
            try cursor.once(OptionNumber.due)
            target.runAt = try cursor.time("AT")
        } else if cursor.skip(.queue) {
            try cursor.once(OptionNumber.queue)
            target.queue = try cursor.queue("QUEUE")
        } else {
            break
        }
    }
    guard target != BulkTarget() else {
        throw CommandError(.error, "syntax error near 'MOVE': give PRIORITY, AT or QUEUE")
    }
    return target
}

extension ArgumentCursor {
    /// TYPE, TAG, KIND and OLDER.
    fileprivate mutating func filter(_ option: Keyword, _ filter: inout BulkFilter) throws(CommandError) {
        if option == .type {
            try once(OptionNumber.type)
            filter.type = try name("TYPE")
        } else if option == .tag {
            try once(OptionNumber.tag)
            filter.tag = try name("TAG")
        } else if option == .kind {
            try once(OptionNumber.kind)
            filter.kind = try name("KIND")
        } else if option == older {
            guard filter.age == nil else { throw syntaxError() }
            filter.age = try duration("OLDER")
        } else {
            throw syntaxError()
        }
    }
}

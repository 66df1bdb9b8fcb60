import MartletEngine
import MartletProtocol

/// What is done to a task by those who look after it.
let manageCommands = [
    Command(
        "TASK.CANCEL", .atLeast(2), [.write, .fast], usage: "id [REASON r] [REQ nonce]",
        summary: "Cancels a task; one in hand is told at its next TOUCH or BEAT.", group: "task",
        reply: "the new state; ACTIVE: it changes later", run: .write(parseCancel)),
    Command(
        "TASK.MOVE", .atLeast(4), [.write, .fast], usage: "id [PRIORITY p] [AT unix-ms] [QUEUE q] [REQ nonce]",
        summary: "Gives a task that waits, BLOCKED or not, another priority, due time or queue.", group: "task",
        reply: "the new state", run: .write(parseMove)),
    Command(
        "TASK.DEL", .atLeast(2), [.write], usage: "id [id ...] [REQ nonce]",
        summary: "Deletes tasks that are not in hand, and everything about them, all or none.", group: "task",
        reply: "how many there were", run: .write(parseDelete)),
]

@Sendable private func parseCancel(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var cancel = CancelRequest(id: try cursor.taskID())
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .reason {
            try cursor.once(OptionNumber.reason)
            cancel.reason = try cursor.bytes("REASON", cutAt: Limits.cancelReason)
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.cancel)
        } else {
            throw cursor.syntaxError()
        }
    }
    cancel.request = nonce?.seal(cursor.request)
    return .cancel(cancel)
}

@Sendable private func parseMove(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var move = MoveRequest(id: try cursor.taskID())
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .priority {
            move.priority = try cursor.priority()
        } else if option == .at {
            try cursor.once(OptionNumber.due)
            move.runAt = try cursor.time("AT")
        } else if option == .queue {
            try cursor.once(OptionNumber.queue)
            move.queue = try cursor.queue("QUEUE")
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.move)
        } else {
            throw cursor.syntaxError()
        }
    }
    guard move.priority != nil || move.runAt != nil || move.queue != nil else {
        throw CommandError(.error, "syntax error near 'TASK.MOVE': give PRIORITY, AT or QUEUE")
    }
    move.request = nonce?.seal(cursor.request)
    return .move(move)
}

@Sendable private func parseDelete(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var delete = DeleteRequest(ids: [])
    while cursor.hasMore, !cursor.skip(.req) {
        delete.ids.append(try cursor.taskID())
        guard delete.ids.count <= Limits.manyCount.upperBound else {
            throw CommandError(.error, "at most \(Limits.manyCount.upperBound) tasks are deleted at once")
        }
    }
    // What ended the ids was REQ, unless they went on to the end.
    guard cursor.request.keyword(cursor.position - 1) == .req else { return .delete(delete) }
    let nonce = try cursor.nonce(CommandTag.delete)
    try cursor.end()
    delete.request = nonce.seal(cursor.request)
    return .delete(delete)
}

import MartletEngine
import MartletProtocol

/// Following tasks: their log, and their end.
let followCommands = [
    Command(
        "TASK.LOG", .atLeast(4), [.write, .denyOutOfMemory, .fast], usage: "id token line [line ...] [REQ nonce]",
        summary: "Adds lines to the log of a task in hand; past 1 MiB the oldest go. REQ is the last word but one.",
        group: "worker", reply: "OK", run: .write(parseLog)),
    Command(
        "TASK.LOGS", .atLeast(2), [.readonly], usage: "id [ATTEMPT n] [CURSOR cursor] [COUNT n]",
        summary: "Tells a task's log, the oldest line first.", group: "task",
        reply: "an array of the next cursor and maps {at, attempt, line}", run: .read(parseLogs)),
    Command(
        "TASK.WAIT", .atLeast(3), [.readonly, .blocking], usage: "n id [id ...] [BLOCK ms] [KEEPALIVE ms]",
        summary: "Waits until all these tasks have ended.", group: "task",
        reply: "an array of maps {id, state, result, error}; state null: there is no such task",
        run: .write(parseWait)),
]

private enum Option {
    static let attempt = (Keyword("ATTEMPT"), 0)
    static let cursor = (Keyword("CURSOR"), 1)
    static let count = 2
    static let block = 3
    static let keepalive = 4
}

@Sendable private func parseLog(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var log = LogRequest(id: try cursor.taskID(), token: try cursor.token(), lines: [])
    // A line may be any word: REQ is what stands last but one, behind a line.
    let hasNonce = cursor.left > 2 && cursor.request.keyword(cursor.position + cursor.left - 2) == .req
    let count = cursor.left - (hasNonce ? 2 : 0)
    guard Limits.logLines.contains(Int64(count)) else {
        throw CommandError(.tooBig, "\(count) lines: at most \(Limits.logLines.upperBound) are taken by one command")
    }
    for _ in 0..<count { log.lines.append(try cursor.bytes("line", cutAt: Limits.logLine + 4)) }
    log.request = try lastNonce(&cursor, CommandTag.log)
    return .log(log)
}

@Sendable private func parseLogs(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var logs = LogsRequest(id: try cursor.taskID())
    while let option = cursor.option() {
        if option == Option.attempt.0 {
            try cursor.once(Option.attempt.1)
            logs.attempt = try cursor.integer("ATTEMPT", in: 1...Int64.max)
        } else if option == Option.cursor.0 {
            try cursor.once(Option.cursor.1)
            guard let number = UInt64(String(decoding: try cursor.bytes("CURSOR"), as: UTF8.self)) else {
                throw CommandError(.error, "invalid cursor")
            }
            logs.cursor = number
        } else if option == .count {
            try cursor.once(Option.count)
            logs.count = Int(try cursor.integer("COUNT", in: Limits.logsCount))
        } else {
            throw cursor.syntaxError()
        }
    }
    return .logs(logs)
}

@Sendable private func parseWait(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let count = try cursor.count("n", in: Limits.waitCount)
    var wait = WaitRequest(ids: [], caller: connection.id)
    for _ in 0..<count { wait.ids.append(try cursor.bytes("id", cutAt: Limits.name.upperBound)) }
    connection.keepalive = nil
    while let option = cursor.option() {
        if option == .block {
            try cursor.once(Option.block)
            wait.block = .upTo(try cursor.duration("BLOCK"))
        } else if option == .keepalive {
            try cursor.once(Option.keepalive)
            connection.keepalive = try cursor.duration("KEEPALIVE", atLeast: 1)
        } else {
            throw cursor.syntaxError()
        }
    }
    return .wait(wait)
}

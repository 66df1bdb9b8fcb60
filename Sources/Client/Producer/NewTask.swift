import MartletProtocol

/// One task as it is to be added, by TASK.ADD or with the acknowledgement of another.
struct NewTask: Sendable {
    var queue: String
    var type: String
    var payload: Bytes
    var options: TaskOptions
    var unique: UniqueKey?
    var conflict = UniqueConflict.skip
    var after: After?
    var batch: Batch?

    /// The arguments of TASK.ADD.
    var arguments: [RESPCommand.Argument] { Array(command.arguments.dropFirst()) }

    /// TASK.ADD, without REQ and FULL.
    var command: RESPCommand {
        var command = RESPCommand("TASK.ADD", .text(queue), .text(type), .bytes(payload))
        command.append(options)
        if let unique { command.append(unique, conflict) }
        if let after { command.append(after) }
        if let batch { command.append("BATCH", .text(batch.id)) }
        return command
    }
}

extension RESPCommand {
    mutating func append(_ after: After) {
        append("AFTER", .integer(Int64(after.ids.count)))
        for id in after.ids { append(.bytes(id.text)) }
        switch after.onDead {
        case .wait: break
        case .cancel: append("ONDEAD", "CANCEL")
        case .run: append("ONDEAD", "RUN")
        }
    }

    fileprivate mutating func append(_ unique: UniqueKey, _ conflict: UniqueConflict) {
        append("UNIQUE", .bytes(unique.key))
        if let span = unique.span { append("FOR", .integer(span)) }
        switch unique.until {
        case .start: append("UNTIL", "START")
        case .done: append("UNTIL", "DONE")
        case .expire: append("UNTIL", "EXPIRE")
        }
        switch conflict {
        case .skip: append("ON", "SKIP")
        case .replace: append("ON", "REPLACE")
        case .error: append("ON", "ERROR")
        }
    }
}

extension RESPCommand.Argument {
    /// What it is on the wire, without its header.
    var size: Int {
        switch self {
        case .text(let text): text.utf8.count
        case .bytes(let bytes): bytes.count
        case .integer: 20
        }
    }
}

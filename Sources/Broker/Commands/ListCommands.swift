import MartletEngine
import MartletProtocol

/// Lists of tasks.
let listCommands = [
    Command(
        "TASK.LIST", .atLeast(2), [.readonly],
        usage:
            "queue|* [STATE s] [TYPE t] [TAG t] [KIND k] [WORKER w] [GROUP g] [BY ADDED|RUN|ENDED] [REV] "
            + "[CURSOR c] [COUNT n]",
        summary: "Lists tasks page by page; with * and BY RUN or ENDED, 128 queues after another.", group: "task",
        reply: "[cursor, [maps as TASK.GET]]; cursor 0: that was all", run: .read(parseList))
]

@Sendable private func parseList(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let queue = try cursor.queue()
    var list = ListRequest(queue: queue == [UInt8(ascii: "*")] ? nil : queue)
    while let option = cursor.option() {
        if option == .by {
            try cursor.once(OptionNumber.by)
            list.order = try order(&cursor)
        } else if option == .rev {
            try cursor.once(OptionNumber.rev)
            list.isReversed = true
        } else if option == .cursor {
            try cursor.once(OptionNumber.cursor)
            list.cursor = try listPlace(try cursor.bytes("CURSOR", cutAt: 64))
        } else if option == .count {
            try cursor.once(OptionNumber.count)
            list.count = Int(try cursor.integer("COUNT", in: Limits.listCount))
        } else {
            try cursor.filter(option, &list)
        }
    }
    return .list(list)
}

private func order(_ cursor: inout ArgumentCursor) throws(CommandError) -> ListRequest.Order {
    if cursor.skip(.added) { return .added }
    if cursor.skip(.run) { return .run }
    if cursor.skip(.ended) { return .ended }
    _ = cursor.option()
    throw cursor.syntaxError()
}

/// The place a list goes on from, which CURSOR names; `nil`: from the start.
func listPlace(_ text: Bytes) throws(CommandError) -> ListCursor? {
    if text == [UInt8(ascii: "0")] { return nil }
    guard let place = ListCursor(text) else { throw .invalidCursor }
    return place
}

extension CommandError {
    static var invalidCursor: CommandError {
        CommandError(.error, "invalid cursor; begin with 0, then send what the last page gave")
    }
}

extension ArgumentCursor {
    /// Reads the value of a filter, whose keyword has just been passed; refuses what is no filter.
    fileprivate mutating func filter(_ option: Keyword, _ list: inout ListRequest) throws(CommandError) {
        if option == .state {
            try once(OptionNumber.state)
            list.state = try state()
        } else if option == .type {
            try once(OptionNumber.type)
            list.type = try name("TYPE")
        } else if option == .tag {
            try once(OptionNumber.tag)
            list.tag = try name("TAG")
        } else if option == .kind {
            try once(OptionNumber.kind)
            list.kind = try name("KIND")
        } else if option == .worker {
            try once(OptionNumber.worker)
            list.worker = try name("WORKER")
        } else if option == .group {
            try once(OptionNumber.group)
            list.group = try name("GROUP")
        } else {
            throw syntaxError()
        }
    }

    private mutating func state() throws(CommandError) -> ListRequest.StateFilter {
        guard hasMore else { throw syntaxError() }
        if skip(.failed) { return .failed }
        return .state(try taskState(orElse: ", FAILED"))
    }
}

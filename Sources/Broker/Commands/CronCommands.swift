import MartletEngine
import MartletProtocol

/// Tasks that are added by the clock.
let cronCommands = [
    Command(
        "CRON.SET", .atLeast(7), [.write, .denyOutOfMemory],
        usage: "name queue type payload SPEC 'm h dom mon dow' | EVERY ms [TZ zone] [OVERLAP SKIP|ALLOW] "
            + "[CATCHUP NONE|ONE|ALL] \(cronOptionsUsage) [REQ nonce]",
        summary: "Adds a task whenever a crontab line matches, or every so often.", group: "cron", reply: "OK",
        run: .write(parseSet)),
    Command(
        "CRON.GET", .atLeast(2), [.readonly, .fast], usage: "name [HISTORY]",
        summary: "Tells about a cron entry; HISTORY adds its last 50 runs: when due, which task.", group: "cron",
        reply: "a map; its history is an array of maps {at, id}, the oldest first", run: .read(parseGet)),
    Command(
        "CRON.LIST", .exactly(1), [.readonly], summary: "Tells about every cron entry.", group: "cron",
        reply: "an array of maps", run: .read { (_, _) throws(CommandError) in .cronList }),
    Command(
        "CRON.NEXT", .exactly(3), [.readonly], usage: "name n", summary: "Tells the next runs of a cron entry.",
        group: "cron", reply: "an array of times",
        run: .read { (cursor, _) throws(CommandError) in
            .cronTimes(try cursor.name("name"), Int(try cursor.integer("n", in: Limits.cronTimes)))
        }),
    action("CRON.DEL", "Removes a cron entry; tasks it added stay.", .delete, CommandTag.cronDelete),
    action("CRON.PAUSE", "Lets a cron entry rest.", .pause, CommandTag.cronPause),
    action("CRON.RESUME", "Ends CRON.PAUSE; what it missed is not made up for.", .resume, CommandTag.cronResume),
    action("CRON.RUN", "Adds a cron entry's task now.", .run, CommandTag.cronRun, reply: "the task's id"),
]

private let cronOptionsUsage = taskOptionsUsage.replacing("[AT unix-ms | DELAY ms]", with: "[DELAY ms]")

private func action(
    _ name: String, _ summary: String, _ action: CronRequest.Action, _ tag: UInt64, reply: String = "OK"
) -> Command {
    Command(
        name, .atLeast(2), action == .run ? [.write, .denyOutOfMemory] : [.write, .fast], usage: "name [REQ nonce]",
        summary: summary, group: "cron", reply: reply,
        run: .write { (cursor, _) throws(CommandError) in
            let entry = try cursor.name("name")
            return .cron(CronRequest(name: entry, action: action, request: try lastNonce(&cursor, tag)))
        })
}

@Sendable private func parseGet(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    let name = try cursor.name("name")
    var history = false
    while let option = cursor.option() {
        guard option == .history else { throw cursor.syntaxError() }
        try cursor.once(OptionNumber.history)
        history = true
    }
    return .cronGet(name, history: history)
}

@Sendable private func parseSet(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var set = CronSetRequest(
        name: try cursor.name("name"), queue: try cursor.queue(), type: try cursor.name("type"),
        payload: try cursor.payload("payload"), schedule: .every(0))
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .req {
            nonce = try cursor.nonce(CommandTag.cronSet)
        } else if try !cursor.cronOption(option, &set) {
            guard option != .at else { throw cursor.syntaxError() }
            try cursor.taskOption(option, &set.options)
        }
    }
    if case .every(0) = set.schedule { throw CommandError(.error, "syntax error: say when, with SPEC or EVERY") }
    set.request = nonce?.seal(cursor.request)
    return .cronSet(set)
}

extension ArgumentCursor {
    /// Reads what is CRON.SET's own; `false`: it is none of these.
    fileprivate mutating func cronOption(
        _ option: Keyword, _ set: inout CronSetRequest
    ) throws(CommandError) -> Bool {
        if option == .spec {
            try once(OptionNumber.schedule)
            set.schedule = .spec(try name("SPEC"))
        } else if option == .every {
            try once(OptionNumber.schedule)
            set.schedule = .every(try duration("EVERY", atLeast: Limits.cronEvery))
        } else if option == .zone {
            try once(OptionNumber.zone)
            set.zone = try name("TZ")
        } else if option == .overlap {
            try once(OptionNumber.overlap)
            set.overlap = try choice([(.skip, .skip), (.allow, .allow)])
        } else if option == .catchup {
            try once(OptionNumber.catchup)
            set.catchup = try choice([(.nothing, .none), (.one, .one), (.both, .all)])
        } else {
            return false
        }
        return true
    }

    private mutating func choice<T>(_ words: [(Keyword, T)]) throws(CommandError) -> T {
        guard let word = option(), let found = words.first(where: { $0.0 == word }) else { throw syntaxError() }
        return found.1
    }
}

import MartletEngine
import MartletProtocol

/// What producers say, and what anybody asks about a task.
let taskCommands = [
    Command(
        "TASK.ADD", .atLeast(4), [.write, .denyOutOfMemory, .fast],
        usage: "queue type payload \(taskOptionsUsage) \(uniqueUsage) \(afterUsage) [BATCH id] [REQ nonce] [FULL]",
        summary: "Adds a task to a queue.", group: "task",
        reply: "the id; with FULL a map {id, state, created, run_at}", run: .write(parseAdd)),
    Command(
        "TASK.MADD", .atLeast(6), [.write, .denyOutOfMemory],
        usage: "queue \(taskOptionsUsage) \(afterUsage) [BATCH id] [REQ nonce] [FULL] TASKS n type payload "
            + "[type payload ...]",
        summary: "Adds many tasks with the same options, all or none.", group: "task",
        reply: "an array of ids; with FULL of maps", run: .write(parseAddMany)),
    Command(
        "TASK.GET", 2...4, [.readonly, .fast], usage: "id [PAYLOAD] [HISTORY]",
        summary: "Tells everything about a task.", group: "task", reply: "a map", run: .read(parseGet)),
    Command(
        "TASK.WHY", .exactly(2), [.readonly, .fast], usage: "id",
        summary: "Tells why a task is not running now, and the one next thing that would change it.", group: "task",
        reply: "a map {state, reason, until, detail}",
        run: .read { (cursor, _) throws(CommandError) in .why(try cursor.taskID()) }),
    Command(
        "TASK.RESULT", .exactly(2), [.readonly, .fast], usage: "id",
        summary: "Gives the result of a completed task.", group: "task", reply: "bytes, null if there is none",
        run: .read { (cursor, _) throws(CommandError) in .result(try cursor.taskID()) }),
]

/// The options of TASK.ADD and TASK.MADD that say something about the task.
let taskOptionsUsage =
    "[PRIORITY p] [AT unix-ms | DELAY ms] [RETRIES n] [BACKOFF EXPONENTIAL base cap | LINEAR step cap | FIXED ms | "
    + "LIST n ms ...] [JITTER pct] [LEASE ms] [TIMEOUT ms] [TTL ms] [KEEP ms] [GROUP key] [ORDER key] "
    + "[LIMIT name [COST c]] [TAGS n t ...] [META n field value ...]"

private let afterUsage = "[AFTER n id ... [ONDEAD WAIT|CANCEL|RUN]]"

private let uniqueUsage = "[UNIQUE key [FOR ms] [UNTIL START|DONE|EXPIRE] [ON SKIP|REPLACE|ERROR]]"

@Sendable private func parseAdd(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var add = AddRequest(
        queue: try cursor.queue(), type: try cursor.name("type"), payload: try cursor.payload("payload"))
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .req {
            nonce = try cursor.nonce(CommandTag.add)
        } else if option == .full {
            try cursor.once(OptionNumber.full)
            add.full = true
        } else {
            try cursor.addOption(option, &add)
        }
    }
    add.request = nonce?.seal(cursor.request)
    return .add(add)
}

/// A child of an acknowledged task: `k <k arguments of TASK.ADD>`, without REQ and FULL.
func parseChild(_ cursor: inout ArgumentCursor) throws(CommandError) -> AddRequest {
    let count = try cursor.count("ADD", in: 3...Int64(Int32.max))
    var part = cursor.part(count)
    var add = AddRequest(queue: try part.queue(), type: try part.name("type"), payload: try part.payload("payload"))
    while let option = part.option() { try part.addOption(option, &add) }
    return add
}

@Sendable private func parseAddMany(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var add = AddManyRequest(queue: try cursor.queue(), items: [])
    var nonce: RequestNonceDraft?
    while let option = cursor.option() {
        if option == .tasks {
            let count = try cursor.count("TASKS", in: Limits.manyCount, each: 2)
            add.items.reserveCapacity(count)
            for _ in 0..<count {
                add.items.append(.init(type: try cursor.name("type"), payload: try cursor.payload("payload")))
            }
            try cursor.end()
        } else if option == .req {
            nonce = try cursor.nonce(CommandTag.addMany)
        } else if option == .full {
            try cursor.once(OptionNumber.full)
            add.full = true
        } else if option == .after {
            add.after = try cursor.dependencies()
        } else if option == .batch {
            add.batch = try cursor.batch()
        } else {
            try cursor.taskOption(option, &add.options)
        }
    }
    guard !add.items.isEmpty else { throw CommandError(.error, "syntax error near 'TASKS': no tasks are given") }
    add.request = nonce?.seal(cursor.request)
    return .addMany(add)
}

@Sendable private func parseGet(
    _ cursor: inout ArgumentCursor, _ connection: Connection
) throws(CommandError) -> Operation {
    var get = GetRequest(id: try cursor.taskID())
    while let option = cursor.option() {
        if option == .payload {
            try cursor.once(OptionNumber.payload)
            get.payload = true
        } else if option == .history {
            try cursor.once(OptionNumber.history)
            get.history = true
        } else {
            throw cursor.syntaxError()
        }
    }
    return .get(get)
}

extension ArgumentCursor {
    /// Reads the value of an option of TASK.ADD, also of a child's.
    fileprivate mutating func addOption(_ option: Keyword, _ add: inout AddRequest) throws(CommandError) {
        if option == .unique {
            (add.unique, add.conflict) = try unique()
        } else if option == .after {
            add.after = try dependencies()
        } else if option == .batch {
            add.batch = try batch()
        } else {
            try taskOption(option, &add.options)
        }
    }

    /// Reads the value of `option`, which has just been passed, into `options`; refuses what is no task option.
    mutating func taskOption(_ option: Keyword, _ options: inout TaskOptions) throws(CommandError) {
        if option == .priority {
            options.priority = try priority()
        } else if option == .delay {
            try once(OptionNumber.due)
            options.due = .after(try duration("DELAY"))
        } else if option == .at {
            try once(OptionNumber.due)
            options.due = .at(try time("AT"))
        } else if option == .keep {
            try once(OptionNumber.keep)
            options.keep = try duration("KEEP")
        } else if option == .retries {
            try once(OptionNumber.retries)
            options.retries = try integer("RETRIES", in: Limits.retries)
        } else if option == .backoff {
            try once(OptionNumber.backoff)
            options.backoff = try backoff()
        } else if option == .jitter {
            try once(OptionNumber.jitter)
            options.jitter = Int(try integer("JITTER", in: Limits.jitter))
        } else if option == .lease {
            options.lease = try lease()
        } else if option == .timeout {
            try once(OptionNumber.timeout)
            options.timeout = try duration("TIMEOUT", atLeast: 1)
        } else if option == .timeToLive {
            try once(OptionNumber.timeToLive)
            options.timeToLive = try duration("TTL", atLeast: 1)
        } else if option == .group {
            try once(OptionNumber.group)
            options.group = try name("GROUP")
        } else if option == .order {
            try once(OptionNumber.order)
            options.order = try name("ORDER")
        } else if option == .limit {
            try limit(&options.limits)
        } else if option == .tags {
            options.tags = try tags()
        } else if option == .meta {
            options.meta = try meta()
        } else {
            throw syntaxError()
        }
    }

    private mutating func backoff() throws(CommandError) -> Backoff {
        guard let kind = option() else { throw syntaxError() }
        if kind == .exponential {
            return .exponential(base: try duration("BACKOFF base"), cap: try duration("BACKOFF cap"))
        }
        if kind == .linear { return .linear(step: try duration("BACKOFF step"), cap: try duration("BACKOFF cap")) }
        if kind == .fixed { return .fixed(try duration("BACKOFF FIXED")) }
        guard kind == .list else { throw syntaxError() }
        let count = try count("BACKOFF LIST", in: Limits.backoffList)
        var delays: [Milliseconds] = []
        for _ in 0..<count { delays.append(try duration("BACKOFF LIST")) }
        return .list(delays)
    }
}

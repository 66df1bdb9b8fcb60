public import MartletProtocol

/// The name of something that runs in the background at the broker.
public struct OperationID: Sendable, Hashable, CustomStringConvertible {
    /// As the broker writes it.
    public var text: String

    /// A name that was kept as text.
    public init(text: String) { self.text = text }
    /// As `text`.
    public var description: String { text }
}

/// How far such an operation is (`TASK.OPS`).
public struct OperationDetails: Sendable {
    /// The operation.
    public var id: OperationID
    /// What is done: RETRY, DEL, CANCEL, MOVE, REPLAY, PURGE, COUNT (a dry run) or REMOVE (of a queue).
    public var verb: String
    /// running, done or stopped.
    public var state: String
    /// The tasks that it is about, as far as they are counted.
    public var matched: Int
    /// Those with which it is done.
    public var done: Int
    /// Those with which it could not be done.
    public var failed: Int
    /// Tasks a second; `nil`: as fast as it can.
    public var rate: Int?
    /// When it began, in Unix milliseconds.
    public var startedAt: Timestamp
    /// When it ended, in Unix milliseconds; `nil`: it goes on.
    public var endedAt: Timestamp?

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        guard let id = fields.optional("id")?.word else { throw ReplyFields.wrong("id") }
        self.id = OperationID(text: id)
        verb = try fields.text("verb")
        state = try fields.text("state")
        matched = try fields.count("matched")
        done = try fields.count("done")
        failed = try fields.count("failed")
        rate = fields.number("rate")
        startedAt = try fields.integer("started")
        endedAt = fields.optional("ended")?.integer
    }
}

/// The dead letters of one kind (`DLQ.LIST … BY KIND`).
public struct DeadLetterKind: Sendable {
    /// `nil`: failures that named none.
    public var kind: String?
    /// How many there are.
    public var count: Int
    /// When the newest of them died, in Unix milliseconds.
    public var newestAt: Timestamp?
    /// The newest one's error.
    public var message: String?

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        kind = fields.optional("kind")?.text
        count = try fields.count("count")
        newestAt = fields.optional("newest_at")?.integer
        message = fields.optional("message")?.text
    }
}

/// What the broker knows about a worker (`WORKER.LIST`).
public struct WorkerDetails: Sendable {
    /// The worker's name, 1–256 bytes.
    public var id: String
    /// The machine it says it is on.
    public var host: String?
    /// The number of its process.
    public var pid: Int?
    /// run, quiet, stop or stale.
    public var state: String
    /// How many tasks it can run at the same time, as it says.
    public var slots: Int?
    /// How many it runs.
    public var busy: Int
    /// The queues it takes tasks from.
    public var queues: [String]
    /// Resident bytes of its process.
    public var resident: Int?
    /// When the broker last heard of it, in Unix milliseconds.
    public var lastBeat: Timestamp?
    /// The attempts that were handed to it.
    public var started: Int
    /// Those that it completed.
    public var completed: Int
    /// Those that it failed.
    public var failed: Int
    /// What it holds.
    public var tasks: [TaskID]

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        id = try fields.text("id")
        host = fields.optional("host")?.text
        pid = fields.number("pid")
        state = try fields.text("state")
        slots = fields.number("slots")
        busy = fields.number("busy") ?? 0
        queues = (fields.optional("queues")?.elements ?? []).compactMap(\.text)
        resident = fields.number("rss")
        lastBeat = fields.optional("last_beat")?.integer
        started = try fields.count("started")
        completed = try fields.count("completed")
        failed = try fields.count("failed")
        tasks = (fields.optional("tasks")?.elements ?? []).compactMap { $0.bytes.flatMap { TaskID($0) } }
    }
}

/// A line that a handler logged (`TASK.LOGS`).
public struct TaskLogLine: Sendable {
    /// When it came to the broker, in Unix milliseconds.
    public var at: Timestamp
    /// The attempt that logged it, from 1.
    public var attempt: Int
    /// The line, without its end.
    public var line: String

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        at = try fields.integer("at")
        attempt = try fields.count("attempt")
        line = try fields.text("line")
    }
}

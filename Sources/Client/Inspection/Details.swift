public import MartletProtocol

/// The name of something that runs in the background at the broker.
public struct OperationID: Sendable, Hashable, CustomStringConvertible {
    public var text: String

    public init(text: String) { self.text = text }
    public var description: String { text }
}

/// How far such an operation is (`TASK.OPS`).
public struct OperationDetails: Sendable {
    public var id: OperationID
    public var verb: String
    public var state: String
    public var matched: Int
    public var done: Int
    public var failed: Int
    /// Tasks a second; `nil`: as fast as it can.
    public var rate: Int?
    public var startedAt: Timestamp
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
    public var count: Int
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
    public var id: String
    public var host: String?
    public var pid: Int?
    /// run, quiet, stop or stale.
    public var state: String
    public var slots: Int?
    public var busy: Int
    public var queues: [String]
    /// Resident bytes of its process.
    public var resident: Int?
    public var lastBeat: Timestamp?
    public var startedAt: Timestamp?
    public var completed: Int
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
        startedAt = fields.optional("started")?.integer
        completed = try fields.count("completed")
        failed = try fields.count("failed")
        tasks = (fields.optional("tasks")?.elements ?? []).compactMap { $0.bytes.flatMap { TaskID($0) } }
    }
}

/// A line that a handler logged (`TASK.LOGS`).
public struct TaskLogLine: Sendable {
    public var at: Timestamp
    public var attempt: Int
    public var line: String

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        at = try fields.integer("at")
        attempt = try fields.count("attempt")
        line = try fields.text("line")
    }
}

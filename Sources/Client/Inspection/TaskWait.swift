public import MartletProtocol

/// Why a task is not running now (`TASK.WHY`).
public struct TaskWait: Sendable {
    /// The state it is in.
    public var state: TaskState
    /// What keeps it there.
    public var reason: Reason
    /// When it changes by itself, as far as that is known.
    public var until: Timestamp?
    /// For people: the one next thing that would change it.
    public var detail: String

    /// Why a task does not run, or that it does.
    public enum Reason: String, Sendable, CaseIterable {
        case running
        case ended
        case scheduled
        case backoff
        case paused
        case queueLimit = "queue_limit"
        case limit
        case concurrency
        case groupConcurrency = "group_concurrency"
        case order
        case after
        case breaker
        /// Others of its queue come first.
        case behind
        /// It is the next one, and nobody reserves from its queue.
        case noWorker = "no_worker"
    }

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        state = try fields.state("state")
        guard let reason = Reason(rawValue: try fields.text("reason")) else { throw ReplyFields.wrong("reason") }
        self.reason = reason
        until = fields.optional("until")?.integer
        detail = fields.optional("detail")?.text ?? ""
    }
}

extension MartletClient {
    /// Why a task is not running now, and what would change that.
    public func why(_ id: TaskID) async throws(MartletError) -> TaskWait {
        try TaskWait(try await link.send(RESPCommand("TASK.WHY", .bytes(id.text))))
    }
}

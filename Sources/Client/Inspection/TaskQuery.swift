public import MartletProtocol

/// Which tasks to list, and in which order (`TASK.LIST`).
public struct TaskQuery: Sendable, Hashable {
    /// A state, or every task whose last attempt failed: SCHEDULED after a failure, or a dead letter.
    public enum StateFilter: Sendable, Hashable {
        case state(TaskState)
        case failed
    }

    /// By when a task was added, is due, or ended.
    public enum Order: String, Sendable {
        case added = "ADDED"
        case run = "RUN"
        case ended = "ENDED"
    }

    /// `nil`: all queues.
    public var queue: String?
    /// `nil`: all states.
    public var state: StateFilter?
    /// Only of this type.
    public var type: String?
    /// Only with this tag.
    public var tag: String?
    /// The kind of the last error.
    public var kind: String?
    /// Only those that this worker holds or held last.
    public var worker: String?
    /// Only of this group.
    public var group: String?
    /// `nil`: by when they were added.
    public var order: Order?
    /// The newest first.
    public var isReversed = false
    /// Entries of one page.
    public var pageSize = 100

    /// All tasks of a queue, or of all; in one state, or in any.
    public init(queue: String? = nil, state: TaskState? = nil) {
        self.queue = queue
        self.state = state.map { .state($0) }
    }

    func command(cursor: String) -> RESPCommand {
        var command = RESPCommand("TASK.LIST", .text(queue ?? "*"))
        switch state {
        case .state(let state): command.append("STATE", .text(state.name))
        case .failed: command.append("STATE", "FAILED")
        case nil: break
        }
        let filters = [("TYPE", type), ("TAG", tag), ("KIND", kind), ("WORKER", worker), ("GROUP", group)]
        for case (let name, let value?) in filters { command.append(name, .text(value)) }
        if let order { command.append("BY", .text(order.rawValue)) }
        if isReversed { command.append(.text("REV")) }
        command.append("CURSOR", .text(cursor))
        command.append("COUNT", .integer(Int64(max(pageSize, 1))))
        return command
    }
}

/// Which dead letters to replay, and how fast (`DLQ.REPLAY`).
public struct ReplayFilter: Sendable, Hashable {
    /// Only of this type.
    public var type: String?
    /// The kind of the last error.
    public var kind: String?
    /// At most so many.
    public var most: Int?
    /// At most so many a second.
    public var rate: Int?

    /// All dead letters, as fast as the broker can beside its other work, unless something says less.
    public init(type: String? = nil, kind: String? = nil, most: Int? = nil, rate: Int? = nil) {
        (self.type, self.kind, self.most, self.rate) = (type, kind, most, rate)
    }

    func append(to command: inout RESPCommand) {
        if let type { command.append("TYPE", .text(type)) }
        if let kind { command.append("KIND", .text(kind)) }
        if let most { command.append("MAX", .integer(Int64(most))) }
        if let rate { command.append("RATE", .integer(Int64(rate))) }
    }
}

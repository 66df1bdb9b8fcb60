public import MartletProtocol

/// What to do to many tasks (`TASK.BULK`).
public enum BulkVerb: Hashable, Sendable {
    /// As `MartletClient.retry`.
    case retry
    case delete
    case cancel
    /// As `MartletClient.move`.
    case move(priority: Int? = nil, at: Timestamp? = nil, queue: String? = nil)

    func append(to command: inout RESPCommand) {
        switch self {
        case .retry: command.append(.text("RETRY"))
        case .delete: command.append(.text("DEL"))
        case .cancel: command.append(.text("CANCEL"))
        case .move(let priority, let time, let queue):
            command.append(.text("MOVE"))
            if let priority { command.append("PRIORITY", .integer(Int64(priority))) }
            if let time { command.append("AT", .integer(time)) }
            if let queue { command.append("QUEUE", .text(queue)) }
        }
    }
}

/// To which tasks, and how fast.
public struct BulkFilter: Hashable, Sendable {
    /// Tasks of this queue …
    public var queue: String
    /// … that are in this state.
    public var state: TaskState
    /// Only of this type.
    public var type: String?
    /// Only with this tag.
    public var tag: String?
    /// The kind of the last error.
    public var kind: String?
    /// Added longer ago than this.
    public var olderThan: Duration?
    /// At most so many.
    public var most: Int?
    /// At most so many a second.
    public var rate: Int?

    /// All tasks of a queue that are in one state.
    public init(queue: String, state: TaskState) { (self.queue, self.state) = (queue, state) }

    func append(to command: inout RESPCommand) {
        command.append(.text("WHERE"))
        command.append("QUEUE", .text(queue))
        command.append("STATE", .text(state.name))
        for case (let name, let value?) in [("TYPE", type), ("TAG", tag), ("KIND", kind)] {
            command.append(name, .text(value))
        }
        if let olderThan { command.append("OLDER", .integer(olderThan.wholeMilliseconds)) }
        if let most { command.append("MAX", .integer(Int64(most))) }
        if let rate { command.append("RATE", .integer(Int64(rate))) }
    }
}

extension MartletClient {
    /// Does to many tasks, in the background, what can be done to one; `progress(of:every:)` tells how it goes on.
    public func bulk(_ verb: BulkVerb, _ filter: BulkFilter) async throws(MartletError) -> OperationID {
        var command = RESPCommand("TASK.BULK")
        verb.append(to: &command)
        filter.append(to: &command)
        return try await operation(command.withNonce())
    }

    /// How many tasks that would take.
    public func countBulk(_ verb: BulkVerb, _ filter: BulkFilter) async throws(MartletError) -> Int {
        var command = RESPCommand("TASK.BULK")
        verb.append(to: &command)
        filter.append(to: &command)
        command.append(.text("DRYRUN"))
        return try Self.count(try await link.send(command))
    }
}

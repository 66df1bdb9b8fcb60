public import MartletProtocol

/// Tasks that are one undertaking: counted together, and followed by others when all of them have ended.
///
///     let album = try await client.newBatch(onSuccess: [BatchFollower(.init(name: "a"), as: Publish.self)])
///     for image in images { _ = try await client.enqueue(image, as: Resize.self, batch: album) }
///     try await album.seal()
public struct Batch: Sendable {
    /// As the broker gave it.
    public let id: String
    let client: MartletClient

    /// Says that it has all its tasks: it takes no more, and ends when they have ended.
    public func seal() async throws(MartletError) { try await tell("BATCH.SEAL") }

    /// Seals it and cancels its tasks that have not ended; what follows its success never will.
    public func cancel() async throws(MartletError) { try await tell("BATCH.CANCEL") }

    /// How it stands; the broker remembers that for 7 days after its end.
    public func details() async throws(MartletError) -> BatchDetails {
        try BatchDetails(try await client.link.send(RESPCommand("BATCH.INFO", .text(id))))
    }

    private func tell(_ what: String) async throws(MartletError) {
        _ = try await client.link.send(RESPCommand(what, .text(id)).withNonce())
    }
}

/// A task that is added once, when a batch ends.
public struct BatchFollower: Sendable {
    /// Where the task goes.
    public var queue: String
    /// What kind of task it is.
    public var type: String
    /// What its handler gets: up to 8 MiB.
    public var payload: Bytes

    /// - Parameters:
    ///   - payload: what its handler gets.
    ///   - definition: what kind of task it is.
    ///   - queue: instead of the definition's.
    public init<Definition: TaskDefinition>(
        _ payload: Definition.Payload, as definition: Definition.Type, queue: String? = nil
    ) throws(MartletError) {
        self.init(bytes: try JSON.encode(payload), type: Definition.type, queue: queue ?? Definition.queue)
    }

    /// A task with any bytes.
    public init(bytes payload: Bytes, type: String, queue: String) {
        (self.payload, self.type, self.queue) = (payload, type, queue)
    }
}

/// How a batch stands.
public struct BatchDetails: Sendable, Hashable {
    /// Where a batch is on its way.
    public enum State: String, Sendable {
        /// It takes tasks.
        case open
        /// It is sealed, and some of its tasks have not ended.
        case running
        /// All of them have completed.
        case succeeded
        /// All of them have ended, some of them badly.
        case failed
        case cancelled
    }

    /// The batch.
    public var id: String
    /// The tasks that came into it.
    public var total: Int
    /// Those that have not ended.
    public var pending: Int
    /// Those that have a result.
    public var completed: Int
    /// Dead, cancelled, expired, or deleted before their end.
    public var failed: Int
    /// It takes no more tasks.
    public var isSealed: Bool
    /// Where it is on its way.
    public var state: State

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        id = try fields.text("id")
        total = try fields.count("total")
        pending = try fields.count("pending")
        completed = try fields.count("completed")
        failed = try fields.count("failed")
        isSealed = try fields.flag("sealed")
        guard let state = State(rawValue: try fields.text("state")) else { throw ReplyFields.wrong("state") }
        self.state = state
    }
}

extension MartletClient {
    /// Opens a batch. Tasks come into it with `enqueue(…, batch:)`, and from its tasks with `TaskContext.then`; it
    /// ends when it is sealed and all of them have ended.
    ///
    /// - Parameters:
    ///   - success: added when all have completed, be it after a retry.
    ///   - end: added when all have ended, however.
    public func newBatch(
        onSuccess success: [BatchFollower] = [], onEnd end: [BatchFollower] = []
    ) async throws(MartletError) -> Batch {
        var command = RESPCommand("BATCH.NEW")
        for (when, followers) in [("SUCCESS", success), ("COMPLETE", end)] {
            for follower in followers {
                command.append("ON", .text(when))
                command.append(.text(follower.queue))
                command.append(.text(follower.type))
                command.append(.bytes(follower.payload))
            }
        }
        guard let id = try await link.send(command.withNonce()).text else { throw .decoding("not a batch's id") }
        return batch(id)
    }

    /// A batch that was opened earlier or elsewhere.
    public func batch(_ id: String) -> Batch { Batch(id: id, client: self) }
}

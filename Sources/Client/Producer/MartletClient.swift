public import Logging
@_exported public import MartletProtocol
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// Submits tasks and asks about them, over one pipelined connection that reconnects by itself.
///
///     let client = MartletClient(MartletConfiguration(host: "broker.internal"))
///     let task = try await client.enqueue(.init(image: "a.png", width: 80), as: Resize.self)
///     print(try await task.result().path)
///
/// It connects with the first command. A changing command carries a random nonce, so when a connection is cut the
/// command is simply sent again: the broker does it once. Run it as a `Service`, or call `close()` at the end.
public final class MartletClient: Service {
    let link: Link
    /// For those who wait for results: a blocked command would hold up everything else on `link`.
    let waiters: Waiters
    /// For other commands that wait at the broker.
    let lines: BlockingLines

    /// Connects with the first command.
    public init(
        _ configuration: MartletConfiguration = .init(), logger: Logger = Logger(label: "martlet.client")
    ) {
        let connect = { @Sendable in
            Link(configuration, loop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
        }
        link = connect()
        waiters = Waiters(connect)
        lines = BlockingLines(connect)
    }

    /// Stays until a graceful shutdown or cancellation, then closes.
    public func run() async throws {
        try? await gracefulShutdown()
        await close()
    }

    /// Makes sure that the broker is there and lets us in, by a PING.
    public func connect() async throws(MartletError) { _ = try await link.send(RESPCommand("PING")) }

    /// Closes the connection; commands without an answer fail with `closed`, and so do later ones.
    public func close() async {
        await waiters.close()
        await lines.close()
        await link.close()
    }

    deinit {
        let (link, waiters, lines) = (link, waiters, lines)
        // Awaited by nobody: whoever still waits is told by their own continuation.
        Task {
            await waiters.close()
            await lines.close()
            await link.close()
        }
    }
}

// MARK: - Submitting

extension MartletClient {
    /// Submits one task; durable when this returns. It carries the trace context of the present Swift task, unless it
    /// has a nonce of its own.
    ///
    /// - Parameters:
    ///   - payload: what its handler gets.
    ///   - definition: what kind of task it is.
    ///   - queue: instead of the definition's.
    ///   - options: what is to hold for it; what is not set is as its queue says.
    ///   - unique: at most one task of the queue holds this key at a time.
    ///   - conflict: what to do when another holds it. With `skip` the handle is that task's and `isNew` is `false`.
    ///   - after: the tasks it waits for.
    ///   - batch: the undertaking it is part of.
    ///   - nonce: 1–64 bytes; a second call with the same one and the same arguments within 10 minutes submits nothing
    ///     and returns the same task. Without it a random one covers this call's own repeats.
    public func enqueue<Definition: TaskDefinition>(
        _ payload: Definition.Payload, as definition: Definition.Type, queue: String? = nil,
        options: TaskOptions = .init(), unique: UniqueKey? = nil, onConflict conflict: UniqueConflict = .skip,
        after: After? = nil, batch: Batch? = nil, nonce: String? = nil
    ) async throws(MartletError) -> TaskHandle<Definition.Output> {
        let task = NewTask(
            queue: queue ?? Definition.queue, type: Definition.type, payload: try JSON.encode(payload),
            options: options, unique: unique, conflict: conflict, after: after, batch: batch)
        let added = try await add(task, nonce: nonce)
        var handle = handle(added.id, as: definition)
        handle.isNew = added.isNew
        return handle
    }

    /// Submits many tasks with the same options: the handles are in the payloads' order.
    ///
    /// Up to 1,000 tasks or 4 MiB go into one TASK.MADD, which is one transaction; more of them are several.
    public func enqueue<Definition: TaskDefinition>(
        many payloads: [Definition.Payload], as definition: Definition.Type, queue: String? = nil,
        options: TaskOptions = .init(), after: After? = nil, batch: Batch? = nil
    ) async throws(MartletError) -> [TaskHandle<Definition.Output>] {
        let queue = queue ?? Definition.queue
        var encoded: [Bytes] = []
        for payload in payloads { encoded.append(try JSON.encode(payload)) }
        return try await TaskTracing.publishing(to: queue, options) { options throws(MartletError) in
            var handles: [TaskHandle<Definition.Output>] = []
            for part in Self.parts(of: encoded) {
                let command = Commands.addMany(
                    queue: queue, type: Definition.type, payloads: part, options, after: after,
                    batch: batch, nonce: Nonce.random())
                let ids = try await link.send(command).elements ?? []
                guard ids.count == part.count else { throw .decoding("TASK.MADD gave \(ids.count) ids") }
                for id in ids { handles.append(handle(try Self.id(id), as: definition)) }
                WorkerMetrics.enqueued(part.count, queue: queue, type: Definition.type)
            }
            return handles
        }
    }

    /// Submits one task whose payload is any bytes.
    public func enqueue(
        bytes payload: Bytes, type: String, queue: String, options: TaskOptions = .init(), unique: UniqueKey? = nil,
        onConflict conflict: UniqueConflict = .skip, after: After? = nil, batch: Batch? = nil,
        nonce: String? = nil
    ) async throws(MartletError) -> TaskID {
        let task = NewTask(
            queue: queue, type: type, payload: payload, options: options, unique: unique, conflict: conflict,
            after: after, batch: batch)
        return try await add(task, nonce: nonce).id
    }

    private func add(_ task: NewTask, nonce: String?) async throws(MartletError) -> (id: TaskID, isNew: Bool) {
        // The same nonce needs the same arguments, and no two calls have the same trace context.
        if let nonce { return try await send(task, nonce: nonce) }
        return try await TaskTracing.publishing(to: task.queue, task.options) { options throws(MartletError) in
            var traced = task
            traced.options = options
            return try await send(traced, nonce: Nonce.random())
        }
    }

    private func send(_ task: NewTask, nonce: String) async throws(MartletError) -> (id: TaskID, isNew: Bool) {
        let added = ReplyFields(try await link.send(Commands.add(task, nonce: nonce)))
        let isNew = try added.flag("created")
        if isNew { WorkerMetrics.enqueued(1, queue: task.queue, type: task.type) }
        return (try added.id("id"), isNew)
    }

    /// Splits into parts of at most 1,000 payloads and 4 MiB, at least one payload each.
    static func parts(of payloads: [Bytes]) -> [ArraySlice<Bytes>] {
        var parts: [ArraySlice<Bytes>] = []
        var start = 0
        var size = 0
        for (index, payload) in payloads.enumerated() {
            if index > start, index - start == 1_000 || size + payload.count > 4 * 1024 * 1024 {
                parts.append(payloads[start..<index])
                start = index
                size = 0
            }
            size += payload.count
        }
        if start < payloads.count { parts.append(payloads[start...]) }
        return parts
    }

    static func id(_ value: RESPValue) throws(MartletError) -> TaskID {
        guard let bytes = value.bytes, let id = TaskID(bytes) else { throw .decoding("not a task id") }
        return id
    }
}

extension MartletClient {
    /// The way to the result of a task submitted earlier or elsewhere.
    public func handle<Definition: TaskDefinition>(
        _ id: TaskID, as definition: Definition.Type
    ) -> TaskHandle<Definition.Output> {
        TaskHandle(id: id, client: self) { bytes throws(MartletError) in
            try JSON.decode(Definition.Output.self, from: bytes)
        }
    }

    /// The way to the result of a task of any bytes, as it is.
    public func handle(_ id: TaskID) -> TaskHandle<Bytes> {
        TaskHandle(id: id, client: self) { (bytes) throws(MartletError) in bytes }
    }
}

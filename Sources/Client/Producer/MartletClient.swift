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

    /// Connects with the first command.
    public init(
        _ configuration: MartletConfiguration = .init(), logger: Logger = Logger(label: "martlet.client")
    ) {
        link = Link(configuration, loop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
    }

    /// Stays until a graceful shutdown or cancellation, then closes.
    public func run() async throws {
        try? await gracefulShutdown()
        await close()
    }

    /// Makes sure that the broker is there and lets us in, by a PING.
    public func connect() async throws(MartletError) { _ = try await link.send(RESPCommand("PING")) }

    /// Closes the connection; commands without an answer fail with `closed`, and so do later ones.
    public func close() async { await link.close() }

    deinit {
        let link = link
        link.loop.execute { link.assumeIsolated { $0.close() } }
    }
}

// MARK: - Submitting

extension MartletClient {
    /// Submits one task; durable when this returns.
    ///
    /// - Parameters:
    ///   - queue: instead of the definition's.
    ///   - nonce: 1–64 bytes; a second call with the same one and the same arguments within 10 minutes submits nothing
    ///     and returns the same task. Without it a random one covers this call's own repeats.
    public func enqueue<Definition: TaskDefinition>(
        _ payload: Definition.Payload, as definition: Definition.Type, queue: String? = nil,
        options: TaskOptions = .init(), nonce: String? = nil
    ) async throws(MartletError) -> TaskHandle<Definition.Output> {
        let id = try await enqueue(
            bytes: try JSON.encode(payload), type: Definition.type, queue: queue ?? Definition.queue,
            options: options, nonce: nonce)
        return handle(id, as: definition)
    }

    /// Submits many tasks with the same options: the handles are in the payloads' order.
    ///
    /// Up to 1,000 tasks or 4 MiB go into one TASK.MADD, which is one transaction; more of them are several.
    public func enqueue<Definition: TaskDefinition>(
        many payloads: [Definition.Payload], as definition: Definition.Type, queue: String? = nil,
        options: TaskOptions = .init()
    ) async throws(MartletError) -> [TaskHandle<Definition.Output>] {
        var encoded: [Bytes] = []
        for payload in payloads { encoded.append(try JSON.encode(payload)) }
        var handles: [TaskHandle<Definition.Output>] = []
        for part in Self.parts(of: encoded) {
            let command = Commands.addMany(
                queue: queue ?? Definition.queue, type: Definition.type, payloads: part, options,
                nonce: Nonce.random())
            let ids = try await link.send(command).elements ?? []
            guard ids.count == part.count else { throw .decoding("TASK.MADD gave \(ids.count) ids") }
            for id in ids { handles.append(handle(try Self.id(id), as: definition)) }
        }
        return handles
    }

    /// Submits one task whose payload is any bytes.
    public func enqueue(
        bytes payload: Bytes, type: String, queue: String, options: TaskOptions = .init(), nonce: String? = nil
    ) async throws(MartletError) -> TaskID {
        let command = Commands.add(
            queue: queue, type: type, payload: payload, options, nonce: nonce ?? Nonce.random())
        return try Self.id(try await link.send(command))
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

// MARK: - Asking

extension MartletClient {
    /// The way to the result of a task submitted earlier or elsewhere.
    public func handle<Definition: TaskDefinition>(
        _ id: TaskID, as definition: Definition.Type
    ) -> TaskHandle<Definition.Output> {
        TaskHandle(id: id, client: self) { bytes throws(MartletError) in
            try JSON.decode(Definition.Output.self, from: bytes)
        }
    }

    /// What the broker knows about a task; `refused` with NOTASK when there is none.
    public func task(
        _ id: TaskID, payload: Bool = false, history: Bool = false
    ) async throws(MartletError) -> TaskDetails {
        try TaskDetails(try await link.send(Commands.get(id, payload: payload, history: history)))
    }

    /// The result of an ended task, `nil` if it has none; `refused` with BADSTATE before the end.
    public func result(_ id: TaskID) async throws(MartletError) -> Bytes? {
        try await link.send(Commands.result(id)).bytes
    }

    /// A queue's counts; `refused` with NOQUEUE when there is none of that name.
    public func queueInfo(_ name: String) async throws(MartletError) -> QueueDetails {
        try QueueDetails(try await link.send(RESPCommand("QUEUE.INFO", .text(name))))
    }

    /// All queues.
    public func queues() async throws(MartletError) -> [QueueDetails] {
        var queues: [QueueDetails] = []
        for queue in try await link.send(RESPCommand("QUEUE.LIST")).elements ?? [] {
            queues.append(try QueueDetails(queue))
        }
        return queues
    }
}

public import MartletProtocol

/// What a worker can do: one handler for each task type.
public struct TaskHandlers: Sendable {
    typealias Handler = @Sendable (Bytes, TaskContext) async throws -> Bytes

    private var handlers: [String: Handler] = [:]

    public init() {}

    /// Handles a typed task: the payload is decoded from JSON, the output becomes the task's result.
    ///
    /// A payload that cannot be decoded fails the attempt with kind `invalid_payload`, an output that cannot be encoded
    /// with kind `invalid_result`. A later registration of the same type replaces the earlier.
    public mutating func register<Definition: TaskDefinition>(
        _ definition: Definition.Type,
        _ body: @escaping @Sendable (Definition.Payload, TaskContext) async throws -> Definition.Output
    ) {
        handlers[Definition.type] = { bytes, context in
            let payload: Definition.Payload
            do {
                payload = try JSON.decode(Definition.Payload.self, from: bytes)
            } catch {
                throw TaskFailure("\(error)", kind: "invalid_payload")
            }
            let output = try await body(payload, context)
            do {
                return try JSON.encode(output)
            } catch {
                throw TaskFailure("\(error)", kind: "invalid_result")
            }
        }
    }

    /// Handles a task of any bytes; what it returns is the result.
    public mutating func register(
        type: String, _ body: @escaping @Sendable (Bytes, TaskContext) async throws -> Bytes
    ) {
        handlers[type] = body
    }

    /// The handler of `type`; for an unknown one, a handler that fails with kind `unknown_type`.
    func handler(for type: String) -> Handler {
        handlers[type] ?? { _, _ in throw TaskFailure("no handler for type '\(type)'", kind: "unknown_type") }
    }
}

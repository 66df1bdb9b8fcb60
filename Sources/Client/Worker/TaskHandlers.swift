public import MartletProtocol

/// Runs one attempt: payload in, result out. What it throws fails the attempt.
public typealias TaskHandler = @Sendable (Bytes, TaskContext) async throws -> Bytes

/// Stands around every handler of a worker: it may change what goes in and out, measure, refuse by throwing, or not
/// call `next` at all.
public typealias TaskMiddleware =
    @Sendable (
        _ payload: Bytes, _ context: TaskContext, _ next: TaskHandler
    ) async throws -> Bytes

/// What a worker can do: one handler for each task type.
public struct TaskHandlers: Sendable {
    private struct Entry {
        var handler: TaskHandler
        var limits: TimeLimits?
    }

    private var entries: [String: Entry] = [:]
    private var middleware: [TaskMiddleware] = []

    /// None: every task fails with kind `unknown_type`.
    public init() {}

    /// Handles a typed task: the payload is decoded from JSON, the output becomes the task's result.
    ///
    /// A payload that cannot be decoded fails the attempt with kind `invalid_payload`, an output that cannot be encoded
    /// with kind `invalid_result`. A later registration of the same type replaces the earlier.
    /// - Parameters:
    ///   - definition: the kind of task.
    ///   - limits: instead of the worker's.
    ///   - body: does it; what it throws fails the attempt.
    public mutating func register<Definition: TaskDefinition>(
        _ definition: Definition.Type, limits: TimeLimits? = nil,
        _ body: @escaping @Sendable (Definition.Payload, TaskContext) async throws -> Definition.Output
    ) {
        register(type: Definition.type, limits: limits) { bytes, context in
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
    public mutating func register(type: String, limits: TimeLimits? = nil, _ body: @escaping TaskHandler) {
        entries[type] = Entry(handler: body, limits: limits)
    }

    /// Puts something around every handler, of unknown types too. The first one is the outermost.
    public mutating func use(_ middleware: @escaping TaskMiddleware) { self.middleware.append(middleware) }

    /// The handler of `type` with everything around it; for an unknown one, it fails with kind `unknown_type`.
    func handler(for type: String) -> TaskHandler {
        let unknown: TaskHandler = { _, _ in throw TaskFailure("no handler for type '\(type)'", kind: "unknown_type") }
        var handler = entries[type]?.handler ?? unknown
        for around in middleware.reversed() {
            let next = handler
            handler = { payload, context in try await around(payload, context, next) }
        }
        return handler
    }

    /// The limits of that type's own; `nil`: the worker's.
    func limits(for type: String) -> TimeLimits? { entries[type]?.limits }
}

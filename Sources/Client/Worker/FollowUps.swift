import MartletProtocol
import Synchronization

/// What a handler wants to follow from its task: kept here until the acknowledgement takes it along.
final class FollowUps: Sendable {
    enum Bounds {
        /// Bytes of all of them: they share one command with the result.
        static let bytes = 16 * 1024 * 1024
    }

    private struct State {
        var tasks: [[RESPCommand.Argument]] = []
        var bytes = 0
        var isTaken = false
    }

    private let state = Mutex(State())

    /// - Throws: `closed` when the attempt is over; `encoding` when they are too many or too large.
    func add(_ task: NewTask) throws(MartletError) {
        let arguments = task.arguments
        let size = arguments.reduce(0) { $0 + $1.size }
        let error = state.withLock { state -> MartletError? in
            guard !state.isTaken else { return .closed }
            guard state.tasks.count < Limits.children, state.bytes + size <= Bounds.bytes else {
                return .encoding("at most \(Limits.children) tasks of together \(Bounds.bytes) bytes follow from one")
            }
            state.tasks.append(arguments)
            state.bytes += size
            return nil
        }
        if let error { throw error }
    }

    /// All of them, each as the arguments of TASK.ADD. Later ones are refused.
    func take() -> [[RESPCommand.Argument]] {
        state.withLock { state in
            state.isTaken = true
            return state.tasks
        }
    }
}

extension TaskContext {
    /// Has another task follow from this one: it is added in the transaction that completes this one, or not at all. An
    /// attempt that fails, is cancelled or loses its lease adds nothing.
    ///
    /// When the broker refuses the task (its queue is full, say), the attempt fails with kind `follow_up_refused`.
    /// - Parameters:
    ///   - payload: what its handler gets.
    ///   - definition: what kind of task it is.
    ///   - queue: instead of the definition's.
    ///   - options: what is to hold for it.
    ///   - unique: at most one task of the queue holds this key at a time.
    ///   - conflict: what to do when another holds it. `error` fails the attempt.
    ///   - after: further tasks to wait for.
    ///   - batch: the undertaking it is part of.
    /// - Throws: `encoding` past 1,000 tasks or 16 MiB; `closed` when the handler has returned.
    public func then<Definition: TaskDefinition>(
        _ payload: Definition.Payload, as definition: Definition.Type, queue: String? = nil,
        options: TaskOptions = .init(), unique: UniqueKey? = nil, onConflict conflict: UniqueConflict = .skip,
        after: After? = nil, batch: Batch? = nil
    ) throws(MartletError) {
        try then(
            bytes: try JSON.encode(payload), type: Definition.type, queue: queue ?? Definition.queue, options: options,
            unique: unique, onConflict: conflict, after: after, batch: batch)
    }

    /// The same with a payload of any bytes.
    public func then(
        bytes payload: Bytes, type: String, queue: String, options: TaskOptions = .init(), unique: UniqueKey? = nil,
        onConflict conflict: UniqueConflict = .skip, after: After? = nil, batch: Batch? = nil
    ) throws(MartletError) {
        let task = NewTask(
            queue: queue, type: type, payload: payload, options: TaskTracing.traced(options), unique: unique,
            conflict: conflict, after: after, batch: batch)
        try followUps.add(task)
    }
}

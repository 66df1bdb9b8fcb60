import MartletProtocol
import Synchronization

/// One attempt at a task while its handler runs: it ends once, however many want to end it.
final class Attempt: Sendable {
    enum Outcome: Sendable {
        case finished(Bytes)
        case failed(TaskFailure)
        /// Somebody else may run it by now: whatever came out is dropped.
        case leaseLost
        /// The worker has no more time: the lease goes back.
        case abandoned
    }

    private struct State {
        var outcome: Outcome?
        var waiter: CheckedContinuation<Outcome, Never>?
        var handler: Task<Void, Never>?
        var leaseLost = false
        var cancelled = false
    }

    private let state = Mutex(State())

    /// Starts the handler. Whoever calls this awaits `outcome()`.
    func start(_ body: @escaping @Sendable () async throws -> Bytes) {
        // Not a child task: a cancelled worker still lets handlers finish within its grace period.
        let task = Task {
            do {
                self.settle(.finished(try await body()))
            } catch {
                self.settle(.failed(TaskFailure(thrown: error)))
            }
        }
        let cancelled = state.withLock { state in
            state.handler = task
            return state.cancelled
        }
        if cancelled { task.cancel() }
    }

    /// How it ended; waits until it has. Called once.
    func outcome() async -> Outcome {
        await withCheckedContinuation { continuation in
            let outcome = state.withLock { state in
                if state.outcome == nil { state.waiter = continuation }
                return state.outcome
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }

    /// Cancels the handler: the lease is no longer ours. Its outcome will be `leaseLost`, once it ends.
    func loseLease() { cancelHandler(leaseLost: true) }

    /// Cancels the handler; what it makes of that is its outcome.
    func cancel() { cancelHandler(leaseLost: false) }

    /// Cancels the handler and does not wait for it.
    func abandon() {
        settle(.abandoned)
        cancel()
    }

    private func cancelHandler(leaseLost: Bool) {
        let handler = state.withLock { state in
            state.cancelled = true
            state.leaseLost = state.leaseLost || leaseLost
            return state.handler
        }
        handler?.cancel()
    }

    /// The first outcome stands.
    private func settle(_ proposed: Outcome) {
        let (waiter, outcome) = state.withLock { state -> (CheckedContinuation<Outcome, Never>?, Outcome) in
            if let outcome = state.outcome { return (nil, outcome) }
            let outcome = state.leaseLost ? .leaseLost : proposed
            state.outcome = outcome
            defer { state.waiter = nil }
            return (state.waiter, outcome)
        }
        waiter?.resume(returning: outcome)
    }
}

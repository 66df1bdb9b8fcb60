import MartletProtocol
import NIOCore
import Synchronization

/// One attempt at a task while its handler runs: it ends once, however many want to end it.
///
///     handler ends ───────────────────────────────▶ finished, failed
///     interrupted ── handler ends, or patience is over ──▶ by the reason: leaseLost, timedOut, finished, failed
///     abandoned ──────────────────────────────────▶ abandoned, at once
final class Attempt: Sendable {
    enum Outcome: Sendable {
        case finished(Bytes)
        case failed(TaskFailure)
        /// Past the hard limit.
        case timedOut
        /// Somebody else may run it by now: whatever came out is dropped.
        case leaseLost
        /// The lease goes back: the worker has no more time, or a cancelled handler does not end.
        case abandoned
    }

    private struct State {
        var outcome: Outcome?
        var waiter: CheckedContinuation<Outcome, Never>?
        var handler: Task<Void, Never>?
        var handlerEnded = false
        var interruption: Interruption?
        var isPastSoftLimit = false
        var softLimitActions: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())
    private let crew: Crew
    private let loop: any EventLoop
    /// How long the handler may take to end after an interruption.
    private let patience: TimeAmount

    init(crew: Crew, loop: any EventLoop, patience: Duration) {
        self.crew = crew
        self.loop = loop
        self.patience = TimeAmount(patience)
    }

    /// Starts the handler. Whoever calls this awaits `outcome()`.
    func start(_ body: @escaping @Sendable () async throws -> Bytes) {
        // Not a child task: a cancelled worker still lets handlers finish within its grace period.
        let task = Task {
            do {
                self.handlerEnded(.finished(try await body()))
            } catch {
                self.handlerEnded(.failed(TaskFailure(thrown: error)))
            }
        }
        let cancelled = state.withLock { state in
            state.handler = task
            return state.interruption != nil
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

    /// Cancels the handler, which then has the worker's patience to end. The first reason stands, but for a lost lease,
    /// which outdoes the others.
    func interrupt(_ reason: Interruption) {
        let (handler, isFirst) = state.withLock { state in
            let isFirst = state.interruption == nil && state.outcome == nil
            if isFirst || reason == .leaseLost { state.interruption = reason }
            return (state.handler, isFirst)
        }
        handler?.cancel()
        if isFirst { loop.scheduleTask(in: patience) { self.giveUp() } }
    }

    /// Cancels the handler, does not wait for it, and has the lease given back.
    func abandon() {
        // First of all, so that what the handler makes of its cancellation comes too late.
        settle { _ in .abandoned }
        let handler = state.withLock { state in
            if state.interruption == nil { state.interruption = .shutdown }
            return state.handler
        }
        handler?.cancel()
    }

    /// The handler had its time to end after an interruption: its slot goes on without it.
    private func giveUp() {
        settle { Self.outcome(givenUpFor: $0) }
    }

    var interruption: Interruption? { state.withLock { $0.interruption } }
}

// MARK: - The soft limit

extension Attempt {
    var isPastSoftLimit: Bool { state.withLock { $0.isPastSoftLimit } }

    /// Runs `action` when the soft limit passes; at once if it has.
    func onSoftLimit(_ action: @escaping @Sendable () -> Void) {
        let late = state.withLock { state in
            if !state.isPastSoftLimit { state.softLimitActions.append(action) }
            return state.isPastSoftLimit
        }
        if late { action() }
    }

    func softLimitPassed() {
        let actions = state.withLock { state in
            state.isPastSoftLimit = true
            defer { state.softLimitActions = [] }
            return state.softLimitActions
        }
        for action in actions { action() }
    }
}

// MARK: - Ending once

extension Attempt {
    private func handlerEnded(_ proposed: Outcome) {
        let wasLeftBehind = state.withLock { state in
            state.handlerEnded = true
            return state.outcome != nil
        }
        if wasLeftBehind { crew.returned() } else { settle { Self.outcome(proposed, after: $0) } }
    }

    /// The first outcome stands. A handler that still runs then is left behind.
    private func settle(_ outcome: (Interruption?) -> Outcome) {
        let (waiter, outcome, leavesBehind) = state.withLock { state in
            guard state.outcome == nil else {
                return (nil as CheckedContinuation<Outcome, Never>?, Outcome.abandoned, false)
            }
            let outcome = outcome(state.interruption)
            state.outcome = outcome
            defer { state.waiter = nil }
            return (state.waiter, outcome, !state.handlerEnded)
        }
        if leavesBehind { crew.leftBehind() }
        waiter?.resume(returning: outcome)
    }

    private static func outcome(_ proposed: Outcome, after interruption: Interruption?) -> Outcome {
        switch interruption {
        case .leaseLost: .leaseLost
        case .hardLimit: .timedOut
        case .taskCancelled, .shutdown, nil: proposed
        }
    }

    private static func outcome(givenUpFor interruption: Interruption?) -> Outcome {
        switch interruption {
        case .leaseLost: .leaseLost
        case .hardLimit: .timedOut
        case .taskCancelled, .shutdown, nil: .abandoned
        }
    }
}

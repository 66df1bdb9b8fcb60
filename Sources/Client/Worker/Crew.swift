import NIOCore
import Synchronization

/// What the slots of one worker share: whether to take, rest or stop, who waits at the broker, which attempts run.
final class Crew: Sendable {
    /// A task in hand.
    struct Running: Sendable {
        var lease: Lease
        var attempt: Attempt
    }

    private struct State {
        var exit: WorkerExit?
        /// Takes nothing new, but may again.
        var isQuiet = false
        /// Slots whose RESERVE or `ACK … NEXT` may be blocked.
        var waiting: [Int: Link] = [:]
        var running: [Int: Running] = [:]
        /// Slots that rest, to be told of the end of it.
        var resting: [CheckedContinuation<Void, Never>] = []
        /// The grace period is over.
        var abandoning = false
        var tasks = 0
        var stuck = 0
    }

    private let state = Mutex(State())
    private let options: WorkerOptions

    init(_ options: WorkerOptions) { self.options = options }

    var isStopping: Bool { state.withLock { $0.exit != nil } }
    var exit: WorkerExit? { state.withLock { $0.exit } }
    var isQuiet: Bool { state.withLock { $0.isQuiet } }
    var running: [Running] { state.withLock { Array($0.running.values) } }
    /// Handlers that were left behind and still run.
    var stuckHandlers: Int { state.withLock { $0.stuck } }

    /// `false`: take nothing now. Otherwise `link` is ended when that changes.
    func beginWaiting(slot: Int, on link: Link) -> Bool {
        state.withLock { state in
            guard state.exit == nil, !state.isQuiet else { return false }
            state.waiting[slot] = link
            return true
        }
    }

    func endWaiting(slot: Int) { state.withLock { $0.waiting[slot] = nil } }

    func begin(_ lease: Lease, _ attempt: Attempt, slot: Int) {
        let late = state.withLock { state in
            state.running[slot] = Running(lease: lease, attempt: attempt)
            return state.abandoning
        }
        if late { attempt.abandon() }
    }

    /// The attempt is over; finishes the worker when it has done its share.
    func endAttempt(slot: Int) {
        let tasks = state.withLock { state in
            state.running[slot] = nil
            state.tasks += 1
            return state.tasks
        }
        if let most = options.maxTasks, tasks >= most { stop(.tasks(tasks)) }
        guard let most = options.maxMemory, let resident = ProcessMemory.resident(), resident > most else { return }
        stop(.memory(resident))
    }

    /// A slot went on without its handler.
    func leftBehind() {
        let stuck = state.withLock { state in
            state.stuck += 1
            return state.stuck
        }
        if stuck > options.mostStuckHandlers { stop(.stuckHandlers(stuck)) }
    }

    /// Such a handler ended after all.
    func returned() { state.withLock { $0.stuck -= 1 } }
}

// MARK: - Orders

extension Crew {
    /// No new tasks, for good: blocked calls are ended. Returns `false` if that was so already.
    @discardableResult
    func stop(_ reason: WorkerExit) -> Bool {
        let told = state.withLock { state -> ([Link], [CheckedContinuation<Void, Never>])? in
            guard state.exit == nil else { return nil }
            state.exit = reason
            defer { state.resting = [] }
            return (Array(state.waiting.values), state.resting)
        }
        for link in told?.0 ?? [] { link.end() }
        for slot in told?.1 ?? [] { slot.resume() }
        return told != nil
    }

    /// Rests, or goes on taking tasks.
    func setQuiet(_ quiet: Bool) {
        let (links, resting) = state.withLock { state -> ([Link], [CheckedContinuation<Void, Never>]) in
            guard state.isQuiet != quiet else { return ([], []) }
            state.isQuiet = quiet
            if quiet { return (Array(state.waiting.values), []) }
            defer { state.resting = [] }
            return ([], state.resting)
        }
        for link in links { link.end() }
        for slot in resting { slot.resume() }
    }

    /// Returns when tasks may be taken (`true`) or the worker stops (`false`).
    func mayTake() async -> Bool {
        while true {
            let now = state.withLock { state in state.exit != nil ? false : state.isQuiet ? nil : true }
            if let now { return now }
            await withCheckedContinuation { continuation in
                let rests = state.withLock { state in
                    guard state.exit == nil, state.isQuiet else { return false }
                    state.resting.append(continuation)
                    return true
                }
                if !rests { continuation.resume() }
            }
        }
    }

    /// Gives up what still runs.
    func abandonRunning() {
        let attempts = state.withLock { state in
            state.abandoning = true
            return state.running.values.map(\.attempt)
        }
        for attempt in attempts { attempt.abandon() }
    }
}

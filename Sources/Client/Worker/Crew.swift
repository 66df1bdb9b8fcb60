import Synchronization

/// What the slots of one worker share: whether to stop, who waits at the broker, which attempts run.
final class Crew: Sendable {
    private struct State {
        var stopping = false
        /// Slots whose RESERVE or `ACK … NEXT` may be blocked.
        var waiting: [Int: Link] = [:]
        var running: [Int: Attempt] = [:]
        /// The grace period is over.
        var abandoning = false
    }

    private let state = Mutex(State())

    var isStopping: Bool { state.withLock { $0.stopping } }

    /// `false`: the worker stops, take nothing more. Otherwise `link` is ended when it does.
    func beginWaiting(slot: Int, on link: Link) -> Bool {
        state.withLock { state in
            guard !state.stopping else { return false }
            state.waiting[slot] = link
            return true
        }
    }

    func endWaiting(slot: Int) { state.withLock { $0.waiting[slot] = nil } }

    func begin(_ attempt: Attempt, slot: Int) {
        let late = state.withLock { state in
            state.running[slot] = attempt
            return state.abandoning
        }
        if late { attempt.abandon() }
    }

    func endAttempt(slot: Int) { state.withLock { $0.running[slot] = nil } }

    /// No new tasks: blocked calls are ended. Returns `false` if that was so already.
    func stop() -> Bool {
        let links: [Link]? = state.withLock { state in
            guard !state.stopping else { return nil }
            state.stopping = true
            return Array(state.waiting.values)
        }
        for link in links ?? [] { link.end() }
        return links != nil
    }

    /// Gives up what still runs.
    func abandonRunning() {
        let attempts = state.withLock { state in
            state.abandoning = true
            return Array(state.running.values)
        }
        for attempt in attempts { attempt.abandon() }
    }
}

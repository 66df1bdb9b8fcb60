import MartletClient
import Synchronization

/// Twice a number.
enum Twice: TaskDefinition {
    struct Payload: Codable, Sendable { var number: Int }
    struct Output: Codable, Sendable { var number: Int }
    static let type = "twice"
    static let queue = "numbers"
}

/// A door that is opened once; whoever comes before waits.
final class Gate: Sendable {
    private struct State {
        var open = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func wait() async {
        await withCheckedContinuation { continuation in
            let open = state.withLock { state in
                if !state.open { state.waiting.append(continuation) }
                return state.open
            }
            if open { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.open = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}

/// What handlers saw, in the order of their runs.
final class Runs: Sendable {
    private let seen = Mutex<[(number: Int, attempt: Int)]>([])

    func add(_ number: Int, attempt: Int) { seen.withLock { $0.append((number, attempt)) } }
    var all: [(number: Int, attempt: Int)] { seen.withLock { $0 } }
}

/// What was seen, in order.
final class Seen<Element: Sendable>: Sendable {
    private let seen = Mutex<[Element]>([])

    func add(_ element: Element) { seen.withLock { $0.append(element) } }
    var all: [Element] { seen.withLock { $0 } }
}

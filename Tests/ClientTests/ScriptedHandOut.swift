import MartletClient
import Synchronization

/// What a scripted broker says to a worker.
enum ScriptedHandOut {
    static let id = TaskID(sequence: 77, check: 5)

    /// What RESERVE answers, as the contract draws it.
    static let reply: String = {
        let fields: [(String, String)] = [
            ("id", "$36\r\n\(id)"), ("queue", "$7\r\nnumbers"), ("type", "$5\r\ntwice"),
            ("payload", "$12\r\n{\"number\":1}"), ("priority", ":5"), ("attempt", ":1"), ("retries", ":3"),
            ("token", ":9"), ("lease_ms", ":60"), ("deadline", ":1"), ("enqueued_at", ":1"), ("run_at", ":1"),
            ("meta", "%1\r\n$4\r\nfrom\r\n$4\r\ntest"), ("tags", "*1\r\n$3\r\nred"), ("last_error", "_"),
        ]
        let body = fields.map { "$\($0.0.utf8.count)\r\n\($0.0)\r\n\($0.1)\r\n" }.joined()
        return "*1\r\n%\(fields.count)\r\n\(body)"
    }()

    /// What a BEAT answers.
    static func orders(_ state: String = "run", cancel: [TaskID] = [], lost: [TaskID] = []) -> String {
        func ids(_ ids: [TaskID]) -> String { "*\(ids.count)\r\n" + ids.map { "$36\r\n\($0)\r\n" }.joined() }
        return "%3\r\n$5\r\nstate\r\n+\(state)\r\n$6\r\ncancel\r\n\(ids(cancel))$4\r\nlost\r\n\(ids(lost))"
    }
}

/// A script that hands out one task and answers the beats, in turn, with what it was given; the last one stays.
final class OneTaskScript: Sendable {
    private struct State {
        var given = false
        var beats: [String]
    }

    private let state: Mutex<State>

    init(beats: [String] = [ScriptedHandOut.orders()]) { state = Mutex(State(beats: beats)) }

    func answer(_ words: [String]) -> String? {
        switch words.first {
        case "TASK.RESERVE":
            state.withLock { state in
                defer { state.given = true }
                return state.given ? nil : ScriptedHandOut.reply
            }
        case "WORKER.BEAT": state.withLock { $0.beats.count > 1 ? $0.beats.removeFirst() : $0.beats[0] }
        case "TASK.ACK", "TASK.RELEASE", "TASK.LOG", "WORKER.HELLO": "+OK\r\n"
        case "TASK.FAIL": "%0\r\n"
        case "TASK.TOUCH": "%2\r\n$8\r\ndeadline\r\n:1\r\n$6\r\ncancel\r\n#f\r\n"
        default: nil
        }
    }
}

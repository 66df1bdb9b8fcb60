import MartletProtocol
import MartletStorage

/// Tasks of a queue that ended in one state and are kept equally long: they go in the order in which they ended, which
/// `ended` has anyway, so that one timer serves all of them. Whoever is kept longer or shorter has a timer of its own.
struct KeptLine: Equatable {
    var keep: Milliseconds
    /// Of its first task; if many with timers of their own had to be passed over, the last of those that were.
    var place: EndedPlace

    /// When the record of its first task goes.
    var due: Timestamp { place.at &+ keep }

    func timer(_ queue: UInt32, _ state: TaskState) -> TimerKey {
        TimerKey(
            at: due, kind: .keptLine, sequence: UInt64(state.rawValue), queue: queue, hash: place.sequence)
    }
}

/// When a task ended, and which it was.
struct EndedPlace: Comparable {
    var at: Timestamp
    var sequence: UInt64

    static func < (left: EndedPlace, right: EndedPlace) -> Bool {
        left.at != right.at ? left.at < right.at : left.sequence < right.sequence
    }
}

/// A queue's lines, by the state in which their tasks ended.
struct KeptLines: Equatable {
    private static let states: [TaskState] = [.completed, .cancelled, .expired]
    private var completed: KeptLine?
    private var cancelled: KeptLine?
    private var expired: KeptLine?

    subscript(state: TaskState) -> KeptLine? {
        get {
            switch state {
            case .completed: completed
            case .cancelled: cancelled
            case .expired: expired
            default: nil
            }
        }
        set {
            switch state {
            case .completed: completed = newValue
            case .cancelled: cancelled = newValue
            case .expired: expired = newValue
            default: break
            }
        }
    }

    /// The lines there are.
    var open: [(state: TaskState, line: KeptLine)] {
        Self.states.compactMap { state in self[state].map { (state, $0) } }
    }

    /// `n u8 │ n × (state u8 │ keep │ at │ sequence)`, the numbers as `varint`s
    func write(to record: inout RecordWriter) {
        record.uint8(UInt8(open.count))
        for (state, line) in open {
            record.uint8(state.rawValue)
            record.signed(line.keep)
            record.signed(line.place.at)
            record.varint(line.place.sequence)
        }
    }

    init() {}

    init(from record: inout RecordReader) {
        for _ in 0..<record.uint8() {
            let state = TaskState(rawValue: record.uint8())
            if state == nil { record.fail() }
            let keep = record.signed()
            let place = EndedPlace(at: record.signed(), sequence: record.varint())
            self[state ?? .dead] = KeptLine(keep: keep, place: place)
        }
    }
}

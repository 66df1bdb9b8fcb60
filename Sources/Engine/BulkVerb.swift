public import MartletProtocol

/// What is done to every task that matches.
public enum BulkVerb: UInt8, CaseIterable, Sendable {
    /// Runs again now, as if it had not been attempted.
    case replay = 1
    /// Everything about it goes; whoever asked for it waits for the end.
    case purge = 2
    /// Nothing: the tasks are counted.
    case count = 3
    /// As `purge`, and then the queue, whose name is free already, goes too.
    case remove = 4
    /// Runs again now, with one more attempt at least.
    case retry = 5
    /// Everything about it goes, in the background.
    case delete = 6
    /// It is given up; one in hand is asked to end.
    case cancel = 7
    /// It goes to another queue, priority or time.
    case move = 8

    /// The name on the wire.
    public var name: String {
        switch self {
        case .replay: "REPLAY"
        case .purge: "PURGE"
        case .count: "COUNT"
        case .remove: "REMOVE"
        case .retry: "RETRY"
        case .delete: "DEL"
        case .cancel: "CANCEL"
        case .move: "MOVE"
        }
    }

    /// Whoever starts it is told its number at once; the tasks are counted before any is changed.
    var isInBackground: Bool {
        switch self {
        case .replay, .retry, .delete, .cancel, .move: true
        case .purge, .count, .remove: false
        }
    }

    /// What is met is removed.
    var removes: Bool { self == .purge || self == .remove || self == .delete }

    /// Whether it can be done to tasks in `state`.
    func allows(_ state: TaskState) -> Bool {
        switch self {
        case .replay, .count: state != .active
        case .purge, .delete, .remove: state != .active
        case .retry: state.isEnded || state == .scheduled
        case .cancel: !state.isEnded
        case .move: state == .pending || state == .scheduled || state == .blocked
        }
    }
}

/// Which tasks an operation is about.
public struct BulkFilter: Hashable, Sendable {
    public var state: TaskState
    public var type: Bytes?
    public var tag: Bytes?
    /// Of the last error.
    public var kind: Bytes?
    /// Only those that were added longer ago than this when the operation began.
    public var age: Milliseconds?
    /// At most so many.
    public var most: Int64?

    public init(state: TaskState, type: Bytes? = nil, kind: Bytes? = nil, most: Int64? = nil) {
        self.state = state
        self.type = type
        self.kind = kind
        self.most = most
    }

    /// It says nothing but the state.
    var isBroad: Bool { type == nil && tag == nil && kind == nil && age == nil }
}

/// Where an operation moves tasks to; what is `nil` stays as it is. A task that is there already does not match.
public struct BulkTarget: Hashable, Sendable {
    public var priority: Int?
    public var runAt: Timestamp?
    public var queue: Bytes?

    public init(priority: Int? = nil, runAt: Timestamp? = nil, queue: Bytes? = nil) {
        (self.priority, self.runAt, self.queue) = (priority, runAt, queue)
    }
}

public import MartletProtocol

/// What the broker knows about a task (`TASK.GET`). Points in time are Unix milliseconds.
public struct TaskDetails: Sendable {
    public var id: TaskID
    public var queue: String
    public var type: String
    public var state: TaskState
    public var priority: Int
    /// Hand-outs so far.
    public var attempt: Int
    /// The limit of further attempts after the first.
    public var retries: Int
    public var retriesLeft: Int
    /// Who holds the lease.
    public var worker: String?
    public var enqueuedAt: Timestamp
    public var runAt: Timestamp
    public var startedAt: Timestamp?
    public var deadline: Timestamp?
    public var endedAt: Timestamp?
    public var lastError: String?
    public var errorKind: String?
    /// 0…100, as the handler last said.
    public var progress: Int?
    public var note: String?
    /// Somebody cancelled it while it ran; it changes when its worker hears of it.
    public var isBeingCancelled: Bool
    /// The UNIQUE key it was added with.
    public var unique: String?
    /// Whose it is.
    public var group: String?
    /// In which line it is: one at a time.
    public var order: String?
    public var tags: [String]
    public var meta: [String: String]
    /// When the record will be removed.
    public var keepUntil: Timestamp?
    public var resultSize: Int?
    public var payloadSize: Int
    /// Only when asked for.
    public var payload: Bytes?
    /// Oldest first, the first and the newest 100. Only when asked for.
    public var history: [TaskMove]?
}

/// One move in a task's history.
public struct TaskMove: Sendable {
    public var at: Timestamp
    /// `nil`: it was added.
    public var from: TaskState?
    public var to: TaskState
    public var attempt: Int
    public var reason: String
    public var kind: String?
    public var message: String?
    public var trace: String?
    public var worker: String?
}

/// A queue's counts (`QUEUE.INFO`): tasks now in each state, and totals since it appeared.
public struct QueueDetails: Sendable {
    public var name: String
    public var pending: Int
    public var scheduled: Int
    public var active: Int
    public var blocked: Int
    public var dead: Int
    public var completed: Int
    public var cancelled: Int
    public var expired: Int
    public var totalAdded: Int
    public var totalCompleted: Int
    /// Attempts.
    public var totalFailed: Int
    /// Age of the oldest task that is due and waits, in milliseconds.
    public var oldest: Milliseconds?
    /// Tasks added, completed and attempts failed a second, over the last minute.
    public var inRate: Double?
    public var outRate: Double?
    public var failRate: Double?
    /// How long tasks of late waited before their hand-out, and ran: half of them, and 99 of 100, no longer than this.
    public var waitMedian: Milliseconds?
    public var waitP99: Milliseconds?
    public var runMedian: Milliseconds?
    public var runP99: Milliseconds?
    public var paused: Bool
    public var draining: Bool
    public var workers: Int
    /// The counts are behind what is due; they follow.
    public var lagging: Bool
}

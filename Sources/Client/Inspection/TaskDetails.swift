public import MartletProtocol

/// What the broker knows about a task (`TASK.GET`). Points in time are Unix milliseconds.
public struct TaskDetails: Sendable {
    /// The task.
    public var id: TaskID
    /// The queue it is in.
    public var queue: String
    /// What kind of task it is.
    public var type: String
    /// Where it is in its life.
    public var state: TaskState
    /// 1…10, 10 is the most urgent.
    public var priority: Int
    /// Hand-outs so far.
    public var attempt: Int
    /// The limit of further attempts after the first.
    public var retries: Int
    /// Those of them that are left.
    public var retriesLeft: Int
    /// Of its last hand-out: rises with every hand-out of the broker. `nil`: it was not handed out.
    public var token: Int64?
    /// Who holds the lease.
    public var worker: String?
    /// When it was added.
    public var enqueuedAt: Timestamp
    /// When it is, or was, due.
    public var runAt: Timestamp
    /// When the last attempt began.
    public var startedAt: Timestamp?
    /// When the lease of the attempt that runs ends.
    public var deadline: Timestamp?
    /// When it ended; `nil`: it has not.
    public var endedAt: Timestamp?
    /// The message of the last failed attempt.
    public var lastError: String?
    /// The kind of the last failed attempt's error.
    public var errorKind: String?
    /// 0…100, as the handler last said.
    public var progress: Int?
    /// What the handler last noted.
    public var note: String?
    /// Somebody cancelled it while it ran; it changes when its worker hears of it.
    public var isBeingCancelled: Bool
    /// The UNIQUE key it was added with.
    public var unique: String?
    /// Whose it is.
    public var group: String?
    /// In which line it is: one at a time.
    public var order: String?
    /// The tags it was added with.
    public var tags: [String]
    /// The fields it was added with.
    public var meta: [String: String]
    /// When the record will be removed.
    public var keepUntil: Timestamp?
    /// Bytes of its result; `nil`: it has none.
    public var resultSize: Int?
    /// Bytes of its payload.
    public var payloadSize: Int
    /// Only when asked for.
    public var payload: Bytes?
    /// Oldest first, the first and the newest 100. Only when asked for.
    public var history: [TaskMove]?
}

/// One move in a task's history.
public struct TaskMove: Sendable {
    /// When, in Unix milliseconds.
    public var at: Timestamp
    /// `nil`: it was added.
    public var from: TaskState?
    /// The state it came into.
    public var to: TaskState
    /// The attempt it was in, from 1; 0: before the first.
    public var attempt: Int
    /// What made it move.
    public var reason: String
    /// The kind of the error, if there was one.
    public var kind: String?
    /// The error's message.
    public var message: String?
    /// Where the error came from, as the worker told it.
    public var trace: String?
    /// Who had it.
    public var worker: String?
}

/// A queue's counts (`QUEUE.INFO`): tasks now in each state, and totals since it appeared.
public struct QueueDetails: Sendable {
    /// The queue.
    public var name: String
    /// Tasks that are due and wait.
    public var pending: Int
    /// Tasks that are due later.
    public var scheduled: Int
    /// Tasks that are leased.
    public var active: Int
    /// Tasks that wait for a condition of their own.
    public var blocked: Int
    /// Dead letters.
    public var dead: Int
    /// Tasks with a result whose record is kept.
    public var completed: Int
    /// Cancelled tasks whose record is kept.
    public var cancelled: Int
    /// Tasks that were not run in time and whose record is kept.
    public var expired: Int
    /// Tasks that were ever added.
    public var totalAdded: Int
    /// Tasks that ever completed.
    public var totalCompleted: Int
    /// Attempts.
    public var totalFailed: Int
    /// Age of the oldest task that is due and waits, in milliseconds.
    public var oldest: Milliseconds?
    /// Tasks added a second over the last minute, or since the broker began. `nil`, here and below: not measured,
    /// because many other queues are active.
    public var inRate: Double?
    /// Tasks completed a second.
    public var outRate: Double?
    /// Attempts failed a second.
    public var failRate: Double?
    /// Half of the tasks of late waited no longer than this before their hand-out. `nil`, here and below: there were
    /// none, at least since the broker began.
    public var waitMedian: Milliseconds?
    /// 99 of 100 tasks waited no longer than this.
    public var waitP99: Milliseconds?
    /// Half of the attempts ran no longer than this.
    public var runMedian: Milliseconds?
    /// 99 of 100 attempts ran no longer than this.
    public var runP99: Milliseconds?
    /// Nothing is handed out, or adds are refused.
    public var paused: Bool
    /// It takes no new tasks and finishes those it has.
    public var draining: Bool
    /// The share of hand-outs that retries get now while there are fresh tasks too, in per cent.
    public var retryShare: Int
    /// Workers that take tasks from it.
    public var workers: Int
    /// The counts are behind what is due; they follow.
    public var lagging: Bool
}

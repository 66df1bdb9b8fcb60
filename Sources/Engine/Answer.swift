public import MartletProtocol

/// What the engine answers. How it looks on the wire is the broker's business.
public enum Answer: Sendable {
    case ok
    case refused(CommandError)
    case id(TaskID)
    case added(AddedTask)
    /// The state a task is in after what was asked.
    case state(TaskState)
    case count(Int64)
    case ids([TaskID])
    case addedMany([AddedTask])
    /// What RESERVE got; empty: nothing, now.
    case handedOut([HandOut])
    /// The caller waits; `Engine.serveWaiting` or `Engine.endWaiting` answers later.
    case blocked
    /// One per task of an `.acknowledgeMany`; `nil`: done.
    case many([CommandError?])
    case failed(FailedAttempt)
    case touched(deadline: Timestamp, cancel: Bool)
    indirect case task(TaskView)
    /// A page of tasks; `next` is `nil` at the end.
    case list(next: ListCursor?, tasks: [TaskView])
    case bytes(Bytes?)
    indirect case why(WaitView)
    indirect case queue(QueueView)
    case queues([QueueView])
    /// `next` is the number of the line to go on from; 0: there are no more.
    case logLines(next: UInt64, [TaskLogLine])
    case waited([WaitedTask])
    indirect case beat(BeatAnswer)
    indirect case worker(WorkerView)
    case workers([WorkerView])
    indirect case queueOptions(QueueOptions)
    /// The number of an operation that was started.
    case operation(UInt64)
    case operations([OperationView])
    /// A page of them, and where the next one begins; 0: there is none.
    case deadKinds([DeadKind], next: UInt64)
    /// With the newest runs, or without.
    indirect case cron(CronView, history: Bool)
    case crons([CronView])
    case times([Timestamp])
    indirect case taken(TakeAnswer)
    indirect case limit(LimitView)
    case limits([LimitView])
    case allowed(BreakerPhase, Bool)
    indirect case breaker(BreakerView)
    case breakers([BreakerView])
    indirect case batch(BatchView)
}

public struct AddedTask: Hashable, Sendable {
    public var id: TaskID
    /// `nil`: its record is gone; its UNIQUE key outlived it.
    public var state: TaskState?
    /// `false`: it was there already.
    public var created: Bool
    public var runAt: Timestamp?
}

/// A task in a worker's hands, and what it may know of it.
public struct HandOut: Sendable {
    public var id: TaskID
    public var queue: Bytes
    public var type: Bytes
    public var payload: Bytes
    public var priority: Int
    /// From 1.
    public var attempt: Int64
    /// The limit of further attempts.
    public var retries: Int64
    /// The fencing token: rises with every hand-out of the broker.
    public var token: Int64
    public var lease: Milliseconds
    public var deadline: Timestamp
    public var enqueuedAt: Timestamp
    public var runAt: Timestamp
    public var meta: [MetaField]
    public var tags: [Bytes]
    public var lastError: Bytes?
}

public struct FailedAttempt: Hashable, Sendable {
    public var state: TaskState
    public var attempt: Int64
    public var retriesLeft: Int64
    public var runAt: Timestamp?
}

/// Everything TASK.GET tells.
public struct TaskView: Sendable {
    public var id: TaskID
    public var queue: Bytes
    public var type: Bytes
    public var state: TaskState
    public var priority: Int
    public var attempt: Int64
    public var retries: Int64
    public var retriesLeft: Int64
    public var token: Int64?
    public var worker: Bytes?
    public var enqueuedAt: Timestamp
    public var runAt: Timestamp
    public var startedAt: Timestamp?
    public var deadline: Timestamp?
    public var endedAt: Timestamp?
    public var lastError: Bytes?
    public var errorKind: Bytes?
    public var progress: Int?
    public var note: Bytes?
    /// It is in hand and to be cancelled.
    public var cancel: Bool
    /// The key it was added with, whether it still holds it or not.
    public var unique: Bytes?
    public var group: Bytes?
    /// Its ORDER key.
    public var order: Bytes?
    public var tags: [Bytes]
    public var meta: [MetaField]
    public var keepUntil: Timestamp?
    public var resultSize: Int?
    public var payloadSize: Int
    /// Only when asked for.
    public var payload: Bytes?
    /// Only when asked for: oldest first, the first and the newest 100.
    public var history: [HistoryEntry]?
}

/// One move of a task.
public struct HistoryEntry: Hashable, Sendable {
    public var at: Timestamp
    /// `nil`: it was added.
    public var from: TaskState?
    public var to: TaskState
    public var attempt: Int64
    public var reason: String
    public var kind: Bytes?
    public var message: Bytes?
    public var trace: Bytes?
    public var worker: Bytes?
}

/// Spans of time by percentile.
public struct DurationView: Hashable, Sendable {
    public var half: Milliseconds
    public var most: Milliseconds
}

/// Everything QUEUE.INFO tells, as far as it is kept.
public struct QueueView: Hashable, Sendable {
    public var name: Bytes
    public var pending: Int64
    public var scheduled: Int64
    public var active: Int64
    public var blocked: Int64
    public var dead: Int64
    public var completed: Int64
    public var cancelled: Int64
    public var expired: Int64
    public var totalAdded: Int64
    public var totalCompleted: Int64
    /// Attempts.
    public var totalFailed: Int64
    /// Age of the oldest task that is due and waits; `nil`: none does.
    public var oldest: Milliseconds?
    /// Per second over the last minute: tasks added, tasks completed, attempts failed; `nil`: nothing happened lately.
    public var inRate: Double?
    public var outRate: Double?
    public var failRate: Double?
    /// How long tasks waited after they were due, and how long attempts ran, in the last minute or two.
    public var waits: DurationView?
    public var runs: DurationView?
    public var paused: Bool
    public var draining: Bool
    /// Per cent of contested hand-outs that go to the retry lane now.
    public var retryShare: Int
    /// Worker names: those who hold a task of it, wait for one, or say that they take from it and are not stale.
    public var workers: Int
    /// Bookkeeping of what became due is behind: counts follow.
    public var lagging: Bool
}

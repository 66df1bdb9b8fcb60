internal import MartletEngine
internal import MartletProtocol

/// An answer in a form that can be compared: what the model predicts, and what the engine said.
enum Outcome: Equatable {
    case ok
    case refused(ErrorCode)
    case id(TaskID)
    case added(Added)
    case state(TaskState)
    case count(Int64)
    case ids([TaskID])
    case addedMany([Added])
    case handedOut([Delivery])
    case blocked
    /// `nil`: done.
    case many([ErrorCode?])
    case failed(Failure)
    case touched(deadline: Timestamp, cancel: Bool)
    case task(Sight)
    case list([Sight])
    case bytes(Bytes?)
    case why(WaitSight)
    case queue(QueueSight)
    case queues([QueueSight])
    case logLines(UInt64, [Line])
    case waited([Waited])
    case beat(Beat)
    case workers([WorkerSight])
    case queueOptions(QueueOptions)
    case operation(UInt64)
    case operations([OperationSight])
    case deadKinds([KindSight])
    case crons([CronView])
    case times([Timestamp])
    case taken(TakeSight)
    case limits([LimitSight])
    case allowed(BreakerPhase, Bool)
    case breakers([BreakerSight])
    case batch(BatchView)
}

/// What ADD … FULL tells.
struct Added: Equatable {
    var id: TaskID
    /// `nil`: its record is gone.
    var state: TaskState?
    var created: Bool
    var runAt: Timestamp?
}

/// A hand-out.
struct Delivery: Equatable {
    var id: TaskID
    var queue: Bytes
    var type: Bytes
    var payload: Bytes
    var priority: Int
    var attempt: Int64
    var retries: Int64
    var token: Int64
    var lease: Milliseconds
    var deadline: Timestamp
    var enqueuedAt: Timestamp
    var runAt: Timestamp
    var meta: [MetaField]
    var tags: [Bytes]
    var lastError: Bytes?
}

/// What FAIL tells.
struct Failure: Equatable {
    var state: TaskState
    var attempt: Int64
    var retriesLeft: Int64
    var runAt: Timestamp?
}

/// What GET tells.
struct Sight: Equatable {
    var id: TaskID
    var queue: Bytes
    var type: Bytes
    var state: TaskState
    var priority: Int
    var attempt: Int64
    var retries: Int64
    var retriesLeft: Int64
    var token: Int64?
    var worker: Bytes?
    var enqueuedAt: Timestamp
    var runAt: Timestamp
    var startedAt: Timestamp?
    var deadline: Timestamp?
    var endedAt: Timestamp?
    var lastError: Bytes?
    var errorKind: Bytes?
    var progress: Int?
    var note: Bytes?
    var cancel: Bool
    var unique: Bytes?
    var group: Bytes?
    var order: Bytes?
    var tags: [Bytes]
    var meta: [MetaField]
    var keepUntil: Timestamp?
    var resultSize: Int?
    var payloadSize: Int
    var payload: Bytes?
    var history: [Move]?
}

/// One line of a task's history.
struct Move: Equatable {
    var at: Timestamp
    var from: TaskState?
    var to: TaskState
    var attempt: Int64
    var reason: String
    var kind: Bytes?
    var message: Bytes?
    var trace: Bytes?
    var worker: Bytes?
}

/// What WHY tells, but for its words.
struct WaitSight: Equatable {
    var state: TaskState
    var reason: WaitReason
    var until: Timestamp?
}

/// What TASK.OPS tells.
struct OperationSight: Equatable {
    var number: UInt64
    var verb: BulkVerb
    var state: String
    var matched: Int64
    var done: Int64
    var failed: Int64
    var rate: Int64?
    var started: Timestamp
    var ended: Timestamp?
}

/// What DLQ.LIST … BY KIND tells, but for the newest.
struct KindSight: Equatable {
    var kind: Bytes?
    var count: Int64
}

/// What QUEUE.INFO tells.
struct QueueSight: Equatable {
    var name: Bytes
    /// Tasks now in each state, in the order of the contract.
    var counts: [TaskState: Int64]
    var totalAdded: Int64
    var totalCompleted: Int64
    var totalFailed: Int64
    var oldest: Milliseconds?
    var paused = false
    var draining = false
    var retryShare: Int
    var workers: Int
    var lagging = false
}

public import MartletProtocol

/// One request to the engine, parsed and checked as far as that needs no state.
public enum Operation: Sendable {
    case add(AddRequest)
    indirect case addMany(AddManyRequest)
    case reserve(ReserveRequest)
    case acknowledge(AcknowledgeRequest)
    case acknowledgeMany(AcknowledgeManyRequest)
    case fail(FailRequest)
    case release(ReleaseRequest)
    case touch(TouchRequest)
    case cancel(CancelRequest)
    case move(MoveRequest)
    case delete(DeleteRequest)
    case get(GetRequest)
    case list(ListRequest)
    case result(TaskID?)
    case why(TaskID?)
    case queueInfo(Bytes)
    case queueOptions(Bytes)
    indirect case queueSet(QueueSetRequest)
    case queuePause(QueuePauseRequest)
    case queueResume(QueueRequest)
    case queueDrain(QueueDrainRequest)
    case queueDelete(QueueRequest)
    case retry(RetryRequest)
    case bulk(BulkRequest)
    case operations
    case stopOperation(StopOperationRequest)
    case deadKinds(DeadKindsRequest)
    case queueList
    case log(LogRequest)
    case logs(LogsRequest)
    case wait(WaitRequest)
    case hello(HelloRequest)
    case beat(BeatRequest)
    case order(OrderRequest)
    /// A worker ends.
    case bye(NameRequest)
    case workerList
    case workerInfo(Bytes)
    indirect case cronSet(CronSetRequest)
    case cron(CronRequest)
    case cronGet(Bytes, history: Bool)
    case cronList
    /// The next runs of an entry: so many.
    case cronTimes(Bytes, Int)
    case limitSet(LimitSetRequest)
    case limitTake(LimitTakeRequest)
    case limitGive(LimitGiveRequest)
    case limitDelete(NameRequest)
    case limitReset(NameRequest)
    case limitInfo(Bytes)
    case limitList
    case breakerSet(BreakerSetRequest)
    case breaker(BreakerRequest)
    case breakerInfo(Bytes)
    case breakerList
    case batchNew(BatchNewRequest)
    case batch(BatchRequest)
    case batchInfo(Bytes)
    case setText(SetTextRequest)
    case deleteTexts([Bytes])
    /// All plain keys go.
    case flushTexts
    case expireText(ExpireRequest)
}

/// Makes a blind retry of a changing command safe.
public struct RequestNonce: Hashable, Sendable {
    /// 1…64 bytes, chosen by the caller.
    public var nonce: Bytes
    /// A stable hash of all the command's arguments: the same nonce with other arguments is refused.
    public var fingerprint: UInt64

    public init(nonce: Bytes, fingerprint: UInt64) {
        self.nonce = nonce
        self.fingerprint = fingerprint
    }
}

public struct AddRequest: Sendable {
    public var queue: Bytes
    public var type: Bytes
    public var payload: Bytes
    public var options: TaskOptions
    public var unique: UniqueKey?
    /// What to do when another task holds the key.
    public var conflict = UniqueConflict.skip
    public var request: RequestNonce?
    /// Answer with `.added` instead of `.id`.
    public var full: Bool
    /// What it waits for.
    public var after: Dependencies?
    /// The batch it belongs to, as it was written.
    public var batch: Bytes?

    public init(
        queue: Bytes, type: Bytes, payload: Bytes, options: TaskOptions = .init(), request: RequestNonce? = nil,
        full: Bool = false
    ) {
        self.queue = queue
        self.type = type
        self.payload = payload
        self.options = options
        self.request = request
        self.full = full
    }
}

public struct AddManyRequest: Sendable {
    public struct Item: Sendable {
        public var type: Bytes
        public var payload: Bytes

        public init(type: Bytes, payload: Bytes) {
            self.type = type
            self.payload = payload
        }
    }

    public var queue: Bytes
    public var items: [Item]
    public var options: TaskOptions
    public var request: RequestNonce?
    /// Answer with `.addedMany` instead of `.ids`.
    public var full: Bool
    /// What all of them wait for.
    public var after: Dependencies?
    /// The batch all of them belong to, as it was written.
    public var batch: Bytes?

    public init(
        queue: Bytes, items: [Item], options: TaskOptions = .init(), request: RequestNonce? = nil, full: Bool = false
    ) {
        self.queue = queue
        self.items = items
        self.options = options
        self.request = request
        self.full = full
    }
}

/// Who waits for a blocked RESERVE: the owner of the engine chooses the number.
public typealias CallerID = UInt64

public struct ReserveRequest: Sendable {
    public var queues: [Bytes]
    /// 1…10,000
    public var count: Int
    public var block: Block
    /// Overrides each task's own lease.
    public var lease: Milliseconds?
    public var worker: Bytes?
    public var request: RequestNonce?
    public var caller: CallerID
    /// Which of the queues comes first.
    public var mode = ReserveMode.strict

    public enum Block: Hashable, Sendable {
        /// Answer at once.
        case no
        /// Wait so long; 0: for ever.
        case upTo(Milliseconds)
    }

    public init(
        queues: [Bytes], count: Int = 1, block: Block = .no, lease: Milliseconds? = nil, worker: Bytes? = nil,
        request: RequestNonce? = nil, caller: CallerID = 0
    ) {
        self.queues = queues
        self.count = count
        self.block = block
        self.lease = lease
        self.worker = worker
        self.request = request
        self.caller = caller
    }
}

/// How RESERVE chooses among the queues that have a due task.
public enum ReserveMode: Hashable, Sendable {
    /// The first task by the one order of hand-out.
    case strict
    /// The first named queue.
    case ordered
    /// A queue in proportion to its weight, one for each named queue; those of a queue named twice add up.
    case weighted([Int64])
}

public struct AcknowledgeRequest: Sendable {
    /// `nil`: the text was not a task id.
    public var id: TaskID?
    public var token: Int64
    public var result: Bytes?
    /// Added in the same transaction; when one is refused, so is the acknowledgement.
    public var children: [AddRequest] = []
    public var request: RequestNonce?
    /// Reserve again after the acknowledgement, as this says (its own `request` is ignored).
    public var next: ReserveRequest?

    public init(
        id: TaskID?, token: Int64, result: Bytes? = nil, request: RequestNonce? = nil, next: ReserveRequest? = nil
    ) {
        self.id = id
        self.token = token
        self.result = result
        self.request = request
        self.next = next
    }
}

public struct AcknowledgeManyRequest: Sendable {
    public var tasks: [(id: TaskID?, token: Int64)]
    public var request: RequestNonce?

    public init(tasks: [(id: TaskID?, token: Int64)], request: RequestNonce? = nil) {
        self.tasks = tasks
        self.request = request
    }
}

public struct FailRequest: Sendable {
    public var id: TaskID?
    public var token: Int64
    public var message: Bytes
    public var kind: Bytes?
    public var trace: Bytes?
    public var next: Next
    public var request: RequestNonce?

    public enum Next: Hashable, Sendable {
        /// As the task's back-off says.
        case backoff
        /// In so many milliseconds, without jitter.
        case retry(Milliseconds)
        /// No further attempt.
        case dead
    }

    public init(
        id: TaskID?, token: Int64, message: Bytes, kind: Bytes? = nil, trace: Bytes? = nil, next: Next = .backoff,
        request: RequestNonce? = nil
    ) {
        self.id = id
        self.token = token
        self.message = message
        self.kind = kind
        self.trace = trace
        self.next = next
        self.request = request
    }
}

public struct ReleaseRequest: Sendable {
    public var id: TaskID?
    public var token: Int64
    /// 0: at once, with its old due time.
    public var delay: Milliseconds
    public var priority: Int?
    public var request: RequestNonce?

    public init(
        id: TaskID?, token: Int64, delay: Milliseconds = 0, priority: Int? = nil, request: RequestNonce? = nil
    ) {
        self.id = id
        self.token = token
        self.delay = delay
        self.priority = priority
        self.request = request
    }
}

public struct TouchRequest: Sendable {
    public var id: TaskID?
    public var token: Int64
    public var lease: Milliseconds?
    /// Per cent, 0…100.
    public var progress: Int?
    public var note: Bytes?
    public var request: RequestNonce?

    public init(
        id: TaskID?, token: Int64, lease: Milliseconds? = nil, progress: Int? = nil, note: Bytes? = nil,
        request: RequestNonce? = nil
    ) {
        self.id = id
        self.token = token
        self.lease = lease
        self.progress = progress
        self.note = note
        self.request = request
    }
}

public struct CancelRequest: Sendable {
    public var id: TaskID?
    public var reason: Bytes?
    public var request: RequestNonce?

    public init(id: TaskID?, reason: Bytes? = nil, request: RequestNonce? = nil) {
        self.id = id
        self.reason = reason
        self.request = request
    }
}

/// What is `nil` stays as it is.
public struct MoveRequest: Sendable {
    public var id: TaskID?
    public var priority: Int?
    public var runAt: Timestamp?
    public var queue: Bytes?
    public var request: RequestNonce?

    public init(
        id: TaskID?, priority: Int? = nil, runAt: Timestamp? = nil, queue: Bytes? = nil, request: RequestNonce? = nil
    ) {
        self.id = id
        self.priority = priority
        self.runAt = runAt
        self.queue = queue
        self.request = request
    }
}

public struct DeleteRequest: Sendable {
    public var ids: [TaskID?]
    public var request: RequestNonce?

    public init(ids: [TaskID?], request: RequestNonce? = nil) {
        self.ids = ids
        self.request = request
    }
}

public struct GetRequest: Sendable {
    public var id: TaskID?
    public var payload: Bool
    public var history: Bool

    public init(id: TaskID?, payload: Bool = false, history: Bool = false) {
        self.id = id
        self.payload = payload
        self.history = history
    }
}

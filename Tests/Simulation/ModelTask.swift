internal import MartletEngine
internal import MartletProtocol

/// One task as the model knows it: plain values, nothing derived, nothing indexed.
struct ModelTask {
    let id: TaskID
    var queue: Bytes
    let type: Bytes
    let payload: Bytes
    let backoff: Backoff
    let jitter: Int64
    let lease: Milliseconds
    let timeout: Milliseconds?
    let timeToLive: Milliseconds?
    let keep: Milliseconds
    let enqueuedAt: Timestamp
    let tags: [Bytes]
    let meta: [MetaField]
    let unique: UniqueKey?
    let group: Bytes?
    let order: Bytes?
    /// By name.
    let limits: [LimitCost]
    /// Which set of limits it names; 0: none.
    var limitSet: Int64 = 0

    var retries: Int64
    /// When its time to live ends.
    var expiresAt: Timestamp?
    var priority: Int
    var runAt: Timestamp
    var attempt: Int64 = 0
    var state: TaskState
    /// The lease, while a worker has one.
    var hold: Hold?
    /// Of the latest attempt.
    var token: Int64?
    var worker: Bytes?
    var startedAt: Timestamp?
    var endedAt: Timestamp?
    var result: Bytes?
    var lastError: Bytes?
    var errorKind: Bytes?
    var progress: Int?
    var note: Bytes?
    /// Somebody wants it cancelled while it is in hand.
    var cancel = false
    /// What it waits for, while it is parked.
    var open: Set<TaskID> = []
    var onDead = Dependencies.OnDead.wait
    var history: [Move] = []
    var log: [Line] = []
    /// What the ACK or FAIL that ended an attempt was answered, by the attempt's token.
    var endings: [Int64: Outcome] = [:]

    /// A worker's lease.
    struct Hold: Equatable {
        var token: Int64
        var startedAt: Timestamp
        var length: Milliseconds
        var leaseEnd: Timestamp
    }

    init(id: TaskID, add: AddRequest, defaults: TaskOptions, now: Timestamp) {
        let options = add.options
        self.id = id
        queue = add.queue
        type = add.type
        payload = add.payload
        retries = options.retries ?? defaults.retries ?? TaskDefaults.retries
        backoff = options.backoff ?? defaults.backoff ?? TaskDefaults.backoff
        jitter = Int64(options.jitter ?? defaults.jitter ?? TaskDefaults.jitter)
        lease = options.lease ?? defaults.lease ?? TaskDefaults.lease
        timeout = options.timeout ?? defaults.timeout
        timeToLive = options.timeToLive ?? defaults.timeToLive
        expiresAt = timeToLive.map { now + $0 }
        keep = options.keep ?? defaults.keep ?? TaskDefaults.keep
        enqueuedAt = now
        tags = options.tags
        meta = options.meta
        unique = add.unique
        group = options.group
        order = options.order
        limits = options.limits.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        priority = options.priority ?? defaults.priority ?? Limits.defaultPriority
        switch options.due {
        case .now: runAt = now
        case .at(let time): runAt = max(time, now)
        case .after(let delay): runAt = now + delay
        }
        state = runAt > now ? .scheduled : .pending
        history = [Move(at: now, from: nil, to: state, attempt: 0, reason: "add")]
    }
}

extension ModelTask {
    /// Waits for a worker, now or later.
    var isWaiting: Bool { state == .scheduled || state == .pending }

    /// It has a place among those that are not in hand, be it parked.
    var hasPlace: Bool { isWaiting || state == .blocked }

    /// A task that was handed out before waits in the retry lane.
    var isRetry: Bool { attempt > 0 }

    /// When the attempt under way fails by itself.
    var deadline: Timestamp? {
        guard let hold else { return nil }
        guard let timeout else { return hold.leaseEnd }
        return min(hold.leaseEnd, hold.startedAt + timeout)
    }

    /// Whether `deadline` is the TIMEOUT's doing.
    var timesOut: Bool {
        guard let hold, let timeout else { return false }
        return hold.startedAt + timeout <= hold.leaseEnd
    }

    /// Until when the record stays; DLQ tasks stay for ever.
    var keepUntil: Timestamp? {
        guard let endedAt, state != .dead else { return nil }
        return endedAt + keep
    }

    /// The next instant at which something happens to it by itself.
    var nextInstant: Timestamp? {
        switch state {
        case .scheduled: min(runAt, expiresAt ?? runAt)
        case .pending, .blocked: expiresAt
        case .active: deadline
        default: keepUntil
        }
    }

    /// Whether what happens to it by itself comes before what happens to `other`.
    func happensBefore(_ other: ModelTask) -> Bool {
        let (mine, theirs) = (nextInstant ?? .max, other.nextInstant ?? .max)
        if mine != theirs { return mine < theirs }
        return rank != other.rank ? rank < other.rank : id < other.id
    }

    private var rank: Int {
        switch state {
        case .active: 0
        case .scheduled: runAt <= expiresAt ?? .max ? 1 : 2
        case .pending, .blocked: 2
        default: 3
        }
    }
}

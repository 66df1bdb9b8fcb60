public import MartletProtocol
import MartletStorage

/// What QUEUE.SET says of a queue, and what of it was said: `nil` is the broker's own default.
public struct QueueOptions: Hashable, Sendable {
    /// For tasks that do not say it themselves; `due` is not used.
    public var task = TaskOptions()
    /// Most records of ended tasks (COMPLETED, CANCELLED, EXPIRED) that are kept.
    public var keepMax: Int64?
    /// Most dead letters that are kept; `nil`: all.
    public var deadMax: Int64?
    /// Per cent of contested hand-outs that go to the retry lane; `nil`: as deep as the lane is.
    public var retryShare: Int?
    /// Most tasks that wait: PENDING, SCHEDULED and BLOCKED; `nil`: any number.
    public var maxLength: Int64?
    /// Most tasks in hand at a time, over all workers; `nil`: any number.
    public var concurrency: Int64?
    /// Most tasks of one GROUP key in hand at a time, over all workers; `nil`: any number.
    public var groupConcurrency: Int64?
    /// How long a task waits to rise by one priority; `nil`: it does not rise.
    public var aging: Milliseconds?

    /// A token of this limit is taken for every hand-out.
    public var limit: Bytes?
    /// It holds hand-outs back while it is open, and is told how attempts end.
    public var breaker: Bytes?

    /// Whether the groups of its tasks take turns; `nil`: they do not.
    public var fair: Bool?

    public init() {}
}

/// One option of a queue: what QUEUE.SET changes and QUEUE.GET tells, in its order.
public enum QueueOption: String, CaseIterable, Sendable {
    case priority = "PRIORITY"
    case retries = "RETRIES"
    case backoff = "BACKOFF"
    case jitter = "JITTER"
    case lease = "LEASE"
    case timeout = "TIMEOUT"
    case timeToLive = "TTL"
    case keep = "KEEP"
    case keepMax = "KEEPMAX"
    case retryShare = "RETRYSHARE"
    case deadMax = "DLQMAX"
    case maxLength = "MAXLEN"
    case concurrency = "CONCURRENCY"
    case groupConcurrency = "GROUPCONCURRENCY"
    case aging = "AGING"
    case limit = "LIMIT"
    case breaker = "BREAKER"
    case fair = "FAIR"

    /// Takes this one option over from `other`.
    func copy(from other: QueueOptions, to options: inout QueueOptions) {
        switch self {
        case .priority: options.task.priority = other.task.priority
        case .retries: options.task.retries = other.task.retries
        case .backoff: options.task.backoff = other.task.backoff
        case .jitter: options.task.jitter = other.task.jitter
        case .lease: options.task.lease = other.task.lease
        case .timeout: options.task.timeout = other.task.timeout
        case .timeToLive: options.task.timeToLive = other.task.timeToLive
        case .keep: options.task.keep = other.task.keep
        case .keepMax: options.keepMax = other.keepMax
        case .retryShare: options.retryShare = other.retryShare
        case .deadMax: options.deadMax = other.deadMax
        case .maxLength: options.maxLength = other.maxLength
        case .concurrency: options.concurrency = other.concurrency
        case .groupConcurrency: options.groupConcurrency = other.groupConcurrency
        case .aging: options.aging = other.aging
        case .limit: options.limit = other.limit
        case .breaker: options.breaker = other.breaker
        case .fair: options.fair = other.fair
        }
    }
}

extension QueueOptions {
    private enum Bit {
        static let priority: UInt32 = 1
        static let retries: UInt32 = 2
        static let backoff: UInt32 = 4
        static let jitter: UInt32 = 8
        static let lease: UInt32 = 16
        static let timeout: UInt32 = 32
        static let timeToLive: UInt32 = 64
        static let keep: UInt32 = 128
        static let keepMax: UInt32 = 256
        static let retryShare: UInt32 = 512
        static let deadMax: UInt32 = 1_024
        static let maxLength: UInt32 = 2_048
        static let concurrency: UInt32 = 4_096
        static let aging: UInt32 = 8_192
        static let limit: UInt32 = 16_384
        static let breaker: UInt32 = 32_768
        static let fair: UInt32 = 65_536
        static let groupConcurrency: UInt32 = 131_072
    }

    private var mask: UInt32 {
        var mask: UInt32 = 0
        if task.priority != nil { mask |= Bit.priority }
        if task.retries != nil { mask |= Bit.retries }
        if task.backoff != nil { mask |= Bit.backoff }
        if task.jitter != nil { mask |= Bit.jitter }
        if task.lease != nil { mask |= Bit.lease }
        if task.timeout != nil { mask |= Bit.timeout }
        if task.timeToLive != nil { mask |= Bit.timeToLive }
        if task.keep != nil { mask |= Bit.keep }
        if keepMax != nil { mask |= Bit.keepMax }
        if retryShare != nil { mask |= Bit.retryShare }
        if deadMax != nil { mask |= Bit.deadMax }
        if maxLength != nil { mask |= Bit.maxLength }
        if concurrency != nil { mask |= Bit.concurrency }
        if aging != nil { mask |= Bit.aging }
        if limit != nil { mask |= Bit.limit }
        if breaker != nil { mask |= Bit.breaker }
        if fair != nil { mask |= Bit.fair }
        if groupConcurrency != nil { mask |= Bit.groupConcurrency }
        return mask
    }

    /// `mask u32 │ [priority u8] [retries i64] [back-off] [jitter u8] [lease i64] [timeout i64] [time to live i64]
    /// [keep i64] [most kept i64] [retry share u8] [most dead i64] [most waiting i64] [slots i64] [aging i64]
    /// [limit] [breaker] [fair u8] [slots of a group i64]`
    func write(to record: inout RecordWriter) {
        record.uint32(mask)
        if let priority = task.priority { record.uint8(UInt8(priority)) }
        if let retries = task.retries { record.int64(retries) }
        if let backoff = task.backoff { backoff.write(to: &record) }
        if let jitter = task.jitter { record.uint8(UInt8(jitter)) }
        for span in [task.lease, task.timeout, task.timeToLive, task.keep, keepMax] {
            if let span { record.int64(span) }
        }
        if let retryShare { record.uint8(UInt8(retryShare)) }
        if let deadMax { record.int64(deadMax) }
        for number in [maxLength, concurrency, aging] { if let number { record.int64(number) } }
        if let limit { record.bytes(limit) }
        if let breaker { record.bytes(breaker) }
        if let fair { record.uint8(fair ? 1 : 0) }
        if let groupConcurrency { record.int64(groupConcurrency) }
    }

    init(from record: inout RecordReader) {
        let mask = record.uint32()
        if mask & Bit.priority != 0 { task.priority = Int(record.uint8()) }
        if mask & Bit.retries != 0 { task.retries = record.int64() }
        if mask & Bit.backoff != 0 { task.backoff = Backoff(from: &record) }
        if mask & Bit.jitter != 0 { task.jitter = Int(record.uint8()) }
        if mask & Bit.lease != 0 { task.lease = record.int64() }
        if mask & Bit.timeout != 0 { task.timeout = record.int64() }
        if mask & Bit.timeToLive != 0 { task.timeToLive = record.int64() }
        if mask & Bit.keep != 0 { task.keep = record.int64() }
        if mask & Bit.keepMax != 0 { keepMax = record.int64() }
        if mask & Bit.retryShare != 0 { retryShare = Int(record.uint8()) }
        if mask & Bit.deadMax != 0 { deadMax = record.int64() }
        if mask & Bit.maxLength != 0 { maxLength = record.int64() }
        if mask & Bit.concurrency != 0 { concurrency = record.int64() }
        if mask & Bit.aging != 0 { aging = record.int64() }
        if mask & Bit.limit != 0 { limit = record.bytes() }
        if mask & Bit.breaker != 0 { breaker = record.bytes() }
        if mask & Bit.fair != 0 { fair = record.uint8() == 1 }
        if mask & Bit.groupConcurrency != 0 { groupConcurrency = record.int64() }
    }
}

/// Options that were set, behind one reference: a queue's state is copied once a group, and few queues have any.
final class QueueSettings: Sendable {
    static let none = QueueSettings(QueueOptions())

    let options: QueueOptions
    /// A limit or a breaker may hold the queue back.
    let isGated: Bool
    /// A group may have no slot left.
    let boundsGroups: Bool

    init(_ options: QueueOptions) {
        self.options = options
        isGated = options.limit != nil || options.breaker != nil
        boundsGroups = options.groupConcurrency != nil
    }
}

/// Until when a queue is paused; `.min`: it is not, `.max`: until it is resumed.
struct QueuePause: Equatable {
    /// ADD is refused.
    var adding = Timestamp.min
    /// Nothing is handed out.
    var handingOut = Timestamp.min

    /// When something of it ends by itself next.
    var nextEnd: Timestamp? { [adding, handingOut].filter { $0 != .min && $0 != .max }.min() }

    func holds(at now: Timestamp) -> Bool { adding > now || handingOut > now }

    /// Without what is over.
    func cleared(by now: Timestamp) -> QueuePause {
        QueuePause(adding: adding > now ? adding : .min, handingOut: handingOut > now ? handingOut : .min)
    }
}

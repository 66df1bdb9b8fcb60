/// How the delay of the n-th retry grows (n from 1).
public enum Backoff: Hashable, Sendable {
    /// min(cap, base · 2^(n−1))
    case exponential(base: Milliseconds, cap: Milliseconds)
    /// min(cap, step · n)
    case linear(step: Milliseconds, cap: Milliseconds)
    /// Always the same.
    case fixed(Milliseconds)
    /// The n-th entry; the last one from then on. 1…100 entries.
    case list([Milliseconds])

    /// The delay before retry `n` (from 1), without jitter. Never overflows.
    public func delay(beforeRetry n: Int64) -> Milliseconds {
        let n = max(1, n)
        switch self {
        case .exponential(let base, let cap):
            guard base > 0 else { return 0 }
            let (delay, overflow) = base.multipliedReportingOverflow(by: n > 62 ? Int64.max : 1 << (n - 1))
            return overflow ? cap : min(cap, delay)
        case .linear(let step, let cap):
            let (delay, overflow) = step.multipliedReportingOverflow(by: n)
            return overflow ? cap : min(cap, delay)
        case .fixed(let delay): return delay
        case .list(let delays): return delays.isEmpty ? 0 : delays[Int(min(n, Int64(delays.count))) - 1]
        }
    }
}

/// What a producer may say about a task. `nil`: the queue's default, else the broker's.
public struct TaskOptions: Hashable, Sendable {
    /// 1…10, 10 the most urgent.
    public var priority: Int?
    /// When it is due.
    public var due: Due = .now
    /// Further attempts after the first.
    public var retries: Int64?
    public var backoff: Backoff?
    /// Per cent of the delay added at random, 0…100.
    public var jitter: Int?
    /// Length of a lease.
    public var lease: Milliseconds?
    /// Bound of one attempt, however often its lease is extended.
    public var timeout: Milliseconds?
    /// From the add: after it the task is EXPIRED unless it runs.
    public var timeToLive: Milliseconds?
    /// How long the record outlives the end; 0: gone at the end.
    public var keep: Milliseconds?
    /// Labels to find it by, each once.
    public var tags: [Bytes] = []
    /// Whose it is: tasks of one group are of one sender, or of one customer.
    public var group: Bytes?
    /// Of the tasks of a queue with the same key one runs at a time, in the order in which they were added.
    public var order: Bytes?
    /// What it takes of which limits before it is handed out; each of them once.
    public var limits: [LimitCost] = []
    /// What travels with it, each field once.
    public var meta: [MetaField] = []

    public enum Due: Hashable, Sendable {
        case now
        case at(Timestamp)
        case after(Milliseconds)
    }

    public init() {}
}

/// So many tokens of a limit.
public struct LimitCost: Hashable, Sendable {
    public var name: Bytes
    public var cost: Int64

    public init(name: Bytes, cost: Int64 = 1) { (self.name, self.cost) = (name, cost) }
}

/// One field of a task's META.
public struct MetaField: Hashable, Sendable {
    public var name: Bytes
    public var value: Bytes

    public init(name: Bytes, value: Bytes) {
        self.name = name
        self.value = value
    }
}

/// A key that at most one task of a queue holds at a time, and how long it is held.
public struct UniqueKey: Hashable, Sendable {
    /// What frees the key. The raw value is stored.
    public enum Until: UInt8, Sendable {
        /// The first hand-out, or an end without one.
        case start = 1
        /// Any end.
        case done = 2
        /// The passing of `span`; without one, the removal of the record.
        case expire = 3
    }

    public var key: Bytes
    /// The longest it is held, counted from when it was taken.
    public var span: Milliseconds?
    public var until: Until

    public init(_ key: Bytes, span: Milliseconds? = nil, until: Until = .done) {
        self.key = key
        self.span = span
        self.until = until
    }
}

/// What an add does when its UNIQUE key is held by another task.
public enum UniqueConflict: Sendable {
    /// Answers with that task.
    case skip
    /// Cancels that task if it waits; otherwise refuses.
    case replace
    /// Refuses.
    case error
}

/// The broker's own defaults, where neither the task nor its queue says otherwise.
public enum TaskDefaults {
    public static let retries: Int64 = 3
    public static let backoff = Backoff.exponential(base: 1_000, cap: 300_000)
    public static let jitter = 10
    public static let lease: Milliseconds = 30_000
    public static let keep: Milliseconds = 86_400_000
}

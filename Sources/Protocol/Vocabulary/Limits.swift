/// Every bound of the wire contract, in one place. `docs/limits.md` lists them.
public enum Limits {
    /// Priorities: 10 is the most urgent.
    public static let priority: ClosedRange<Int64> = 1...10
    public static let defaultPriority = 5
    /// Bytes of a queue name: UTF-8 without control characters.
    public static let queueName = 1...128
    /// Bytes of a type, worker id, key, group, tag, limit, breaker or cron name.
    public static let name = 1...256
    /// Bytes of a REQ nonce.
    public static let nonce = 1...64
    /// Bytes of one payload or one result.
    public static let payload = 8 * 1024 * 1024
    /// The latest point in time, and the longest span, in milliseconds: 2^53.
    public static let latestTime: Int64 = 1 << 53
    /// Most further attempts of a task.
    public static let retries: ClosedRange<Int64> = 0...1_000_000
    /// Most entries of `BACKOFF LIST`.
    public static let backoffList: ClosedRange<Int64> = 1...100
    public static let jitter: ClosedRange<Int64> = 0...100
    /// Most tasks of one RESERVE.
    public static let reserveCount: ClosedRange<Int64> = 1...10_000
    /// Payload bytes after which one RESERVE stops taking more (it takes at least one task).
    public static let reservePayload = 16 * 1024 * 1024
    /// COUNT of one page of a list; a page may be shorter.
    public static let listCount: ClosedRange<Int64> = 1...10_000
    /// Most tasks of one MADD or MACK.
    public static let manyCount: ClosedRange<Int64> = 1...100_000
    /// Weight of a queue in RESERVE MODE WEIGHTED.
    public static let weight: ClosedRange<Int64> = 1...1_000_000
    /// Most queues of one command.
    public static let queuesOfOneCommand: ClosedRange<Int64> = 1...1_000
    /// Kept bytes of a failure's message; the rest is cut off.
    public static let failureMessage = 16 * 1024
    /// Kept bytes of a failure's trace; the rest is cut off.
    public static let failureTrace = 64 * 1024
    /// Most TAGS of a task.
    public static let tags: ClosedRange<Int64> = 0...64
    /// Most tasks that one is added AFTER.
    public static let dependencies: ClosedRange<Int64> = 1...100
    /// Most children an ACK adds.
    public static let children = 1_000
    /// Most fields of a task's META.
    public static let metaFields: ClosedRange<Int64> = 0...64
    /// Bytes of one META value.
    public static let metaValue = 4 * 1024
    /// Kept bytes of a cancellation's REASON; the rest is cut off.
    public static let cancelReason = 4 * 1024
    /// Kept bytes of a line of a task's log; the rest is cut off.
    public static let logLine = 16 * 1024
    /// Most lines of one LOG.
    public static let logLines: ClosedRange<Int64> = 1...10_000
    /// Bytes of a task's log, with 16 for each line; past it the oldest lines go, in chunks of about 4 KiB.
    public static let log = 1024 * 1024
    /// Most lines of one page of LOGS.
    public static let logsCount: ClosedRange<Int64> = 1...10_000
    /// Most tasks of one WAIT.
    public static let waitCount: ClosedRange<Int64> = 1...1_000
    /// Bytes of results after which one WAIT answers without the further ones: RESULT has them.
    public static let waitResults = 16 * 1024 * 1024
    /// Bytes of results that are held for callers of WAIT although the tasks' records are gone, over all callers.
    public static let heldResults = 64 * 1024 * 1024
    /// Workers that are known.
    public static let workers = 10_000
    /// How long a silent worker is remembered at least, while there is room, in milliseconds.
    public static let workerMemory: Milliseconds = 86_400_000
    /// Queues a worker names.
    public static let workerQueues: ClosedRange<Int64> = 0...100
    /// Tasks a worker's view names, the oldest hand-outs first.
    public static let workerTasks = 1_000
    /// Leases one BEAT extends.
    public static let beatCount: ClosedRange<Int64> = 0...10_000
    /// Bytes of a progress note.
    public static let note = 4 * 1024
    /// History entries kept: so many of the first and so many of the newest.
    public static let historyEnds = 100
    /// Records of ended tasks (COMPLETED, CANCELLED, EXPIRED) kept per queue; the oldest go first.
    public static let keepMax: Int64 = 1_000_000
    /// Operations on many tasks (TASK.OPS) that run at a time.
    public static let operations = 100
    /// Operations that are over and still told of, the newest.
    public static let operationsKept = 100
    /// Tasks a second of an operation.
    public static let operationRate: ClosedRange<Int64> = 1...1_000_000
    /// Entries of the cron table.
    public static let crons = 10_000
    /// Runs that CRON.NEXT tells at most.
    public static let cronTimes: ClosedRange<Int64> = 1...1_000
    /// The shortest EVERY of a cron entry, in milliseconds.
    public static let cronEvery: Milliseconds = 100
    /// Limits (LIMIT.SET) there are.
    public static let limits = 1_000
    /// Limits that one task names.
    public static let taskLimits = 1...8
    /// Different sets of limits that tasks name together: each is kept for ever.
    public static let limitSets = 10_000
    /// RATE, BURST and COST of a limit, in tokens.
    public static let limitRate: ClosedRange<Int64> = 1...1_000_000_000
    /// PER of a limit or a breaker, in milliseconds: up to 31 days.
    public static let limitPer: ClosedRange<Int64> = 1...2_678_400_000
    /// SLOTS of a limit.
    public static let limitSlots: ClosedRange<Int64> = 1...10_000
    /// Breakers (BREAKER.SET) there are.
    public static let breakers = 1_000
    /// FAILS and PROBES of a breaker.
    public static let breakerCount: ClosedRange<Int64> = 1...1_000
    /// KINDS of a breaker.
    public static let breakerKinds: ClosedRange<Int64> = 1...64
    /// Batches that are open, running, or over and not yet forgotten.
    public static let batches = 100_000
    /// ON clauses of one BATCH.NEW: tasks that follow a batch.
    public static let batchFollowers = 10
    /// How long a batch is remembered after it was over, in milliseconds: 7 days.
    public static let batchKeep: Milliseconds = 604_800_000
    /// Bytes of a plain key (SET).
    public static let key = 0...65_536
    /// How long a REQ nonce is remembered, in milliseconds.
    public static let nonceAge: Milliseconds = 600_000
    /// How many REQ nonces are remembered, the newest.
    public static let nonceCount = 1_000_000
}

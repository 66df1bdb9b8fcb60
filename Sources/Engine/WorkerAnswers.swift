public import MartletProtocol

/// What WORKER.BEAT is told.
public struct BeatAnswer: Hashable, Sendable {
    public var order: WorkerOrder
    /// Tasks in its hands that are to be cancelled.
    public var cancel: [TaskID]
    /// Of those it wanted to keep: it holds them no more.
    public var lost: [TaskID]
}

/// Everything WORKER.INFO tells.
public struct WorkerView: Hashable, Sendable {
    public var name: Bytes
    public var host: Bytes?
    public var process: Int64?
    public var order: WorkerOrder
    /// It has missed three beats.
    public var isStale: Bool
    public var slots: Int64?
    /// How many tasks it works on: what it said itself, else how many it holds.
    public var busy: Int64
    public var queues: [Bytes]
    public var residentBytes: Int64?
    public var lastBeat: Timestamp
    /// Hand-outs to it.
    public var started: Int64
    public var completed: Int64
    /// Attempts.
    public var failed: Int64
    /// What it holds, the oldest first, so many at most as `Limits.workerTasks` says.
    public var tasks: [TaskID]
    public var library: Bytes?
    public var libraryVersion: Bytes?

    /// As it reads on the wire: `stale` hides the order.
    public var state: String { isStale ? "stale" : order.name }
}

/// One line of a task's log.
public struct TaskLogLine: Hashable, Sendable {
    public var at: Timestamp
    public var attempt: Int64
    public var line: Bytes
}

/// What TASK.WAIT tells of one task.
public struct WaitedTask: Hashable, Sendable {
    /// As it was asked for.
    public var name: Bytes
    /// `nil`: there is no such task.
    public var state: TaskState?
    public var result: Bytes?
    /// Its last error, unless it completed.
    public var error: Bytes?
}

/// Why a handler's Swift task was cancelled before it ended by itself.
public enum Interruption: Sendable, Hashable {
    /// The lease is over: another worker may have the task, and whatever this handler does is dropped.
    case leaseLost
    /// Somebody cancelled the task at the broker. Finishing all the same completes it; throwing ends it CANCELLED.
    case taskCancelled
    /// The attempt took longer than its hard limit: it has failed with kind `timeout`.
    case hardLimit
    /// The worker's grace period is over: the task was given back uncounted.
    case shutdown
}

/// How long one attempt may run, checked by the worker. The task's own TIMEOUT is the broker's business and holds too.
public struct TimeLimits: Sendable, Hashable {
    /// After so long the handler is told (`TaskContext.isPastSoftLimit`, `onSoftLimit`), and goes on. `nil`: never.
    public var soft: Duration?
    /// After so long the handler's Swift task is cancelled and the attempt fails with kind `timeout`, to be retried.
    public var hard: Duration?

    /// Either, both or none; the soft limit should be the shorter one.
    public init(soft: Duration? = nil, hard: Duration? = nil) {
        self.soft = soft
        self.hard = hard
    }
}

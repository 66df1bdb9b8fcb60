public import Logging
public import MartletProtocol

/// What a handler may know and say about the attempt it runs.
public struct TaskContext: Sendable {
    /// The task.
    public let id: TaskID
    /// The queue it came from.
    public let queue: String
    /// What kind of task it is.
    public let type: String
    /// From 1.
    public let attempt: Int
    /// The limit of further attempts after the first.
    public let retries: Int
    /// When it was added, in Unix milliseconds.
    public let enqueuedAt: Timestamp
    /// What the producer sent along, the trace context too.
    public let meta: [String: String]
    /// The tags it was added with.
    public let tags: [String]
    /// Why the attempt before failed.
    public let lastError: String?
    /// Carries the task's id, type, queue and attempt; its lines from `info` on are kept with the task. The handler
    /// finds it as `Logger.current` too.
    public let logger: Logger
    private let running: Attempt
    let followUps: FollowUps
    private let report: @Sendable (Int, String?) async throws(CancellationError) -> Void

    init(
        _ lease: Lease, _ running: Attempt, _ followUps: FollowUps, logger: Logger,
        report: @escaping @Sendable (Int, String?) async throws(CancellationError) -> Void
    ) {
        (id, queue, type) = (lease.id, lease.queue, lease.type)
        (attempt, retries, enqueuedAt) = (lease.attempt, lease.retries, lease.enqueuedAt)
        (meta, tags, lastError) = (lease.meta, lease.tags, lease.lastError)
        self.logger = logger
        self.running = running
        self.followUps = followUps
        self.report = report
    }

    /// Tells how far the work is: 0…100 (others are clamped) and a note of up to 4 KiB. It extends the lease as well.
    ///
    /// A broker that cannot be reached is not the handler's business: the report is then dropped.
    /// - Throws: `CancellationError` when the lease is lost or the task was cancelled; the work is of no more use.
    public func progress(_ percent: Int, note: String? = nil) async throws(CancellationError) {
        try await report(min(max(percent, 0), 100), note)
    }

    /// Why this handler's Swift task was cancelled; `nil` while it was not.
    public var interruption: Interruption? { running.interruption }

    /// Whether the attempt has taken longer than `TimeLimits.soft`: time to save what is done.
    public var isPastSoftLimit: Bool { running.isPastSoftLimit }

    /// Runs `action` once when the soft limit passes, at once if it has. It must not block.
    public func onSoftLimit(_ action: @escaping @Sendable () -> Void) { running.onSoftLimit(action) }
}

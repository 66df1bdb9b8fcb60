public import MartletProtocol

/// What a handler may know and say about the attempt it runs.
public struct TaskContext: Sendable {
    public let id: TaskID
    public let queue: String
    public let type: String
    /// From 1.
    public let attempt: Int
    /// The limit of further attempts after the first.
    public let retries: Int
    public let enqueuedAt: Timestamp
    /// Why the attempt before failed.
    public let lastError: String?
    let report: @Sendable (Int, String?) async throws(CancellationError) -> Void

    /// Tells how far the work is: 0…100 (others are clamped) and a note of up to 4 KiB. It extends the lease as well.
    ///
    /// A broker that cannot be reached is not the handler's business: the report is then dropped.
    /// - Throws: `CancellationError` when the lease is lost or the task was cancelled; the work is of no more use.
    public func progress(_ percent: Int, note: String? = nil) async throws(CancellationError) {
        try await report(min(max(percent, 0), 100), note)
    }
}

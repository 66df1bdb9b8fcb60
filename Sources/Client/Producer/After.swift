public import MartletProtocol

/// Tasks that have to end before another one runs; until then that one is BLOCKED.
///
///     let both = try await client.enqueue(.init(), as: Report.self, after: After([north.id, south.id]))
public struct After: Hashable, Sendable {
    /// What becomes of the task when one of the others ends as DLQ, CANCELLED or EXPIRED, or is deleted.
    public enum OnDead: Sendable {
        /// It goes on waiting: a retry may still complete the other.
        case wait
        /// It is cancelled.
        case cancel
        /// It runs nevertheless.
        case run
    }

    /// 1–100 tasks that the broker knows; those that have completed are not waited for.
    public var ids: [TaskID]
    /// What becomes of the task when one of them ends badly.
    public var onDead: OnDead

    /// Waits for all of them.
    public init(_ ids: [TaskID], onDead: OnDead = .wait) { (self.ids, self.onDead) = (ids, onDead) }
}

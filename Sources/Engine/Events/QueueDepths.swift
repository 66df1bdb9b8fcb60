public import MartletProtocol

/// How many tasks wait in which way: what dashboards that know four lists show.
public struct QueueDepths: Hashable, Sendable {
    /// Due, and not failed so far (exact while only retries are SCHEDULED).
    public var primary: Int64 = 0
    /// Due again after a failure.
    public var retry: Int64 = 0
    public var scheduled: Int64 = 0
    public var dead: Int64 = 0
}

extension Engine {
    /// Of a queue; all 0 if there is none. Kept, never counted.
    public func depths(of queue: Bytes) -> QueueDepths {
        guard let number = queueNumbers[queue] else { return QueueDepths() }
        let state = self.queue(number)
        let retry = min(state[.pending], max(0, state.retryDepth - state[.scheduled]))
        return QueueDepths(
            primary: state[.pending] - retry, retry: retry, scheduled: state[.scheduled], dead: state[.dead])
    }
}

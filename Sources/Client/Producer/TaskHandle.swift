public import MartletProtocol

/// A submitted task: its id, and the way to its result.
public struct TaskHandle<Output: Sendable>: Sendable {
    public let id: TaskID
    let client: MartletClient
    let decode: @Sendable (Bytes) throws(MartletError) -> Output

    /// Waits until the task has ended and returns its result.
    ///
    /// The broker is asked with TASK.GET, first after 20 ms, then in intervals that grow by half up to one second; so
    /// the result is seen at most a second after the end. A broker that is away is waited for.
    ///
    /// - Parameter limit: how long to wait; `nil`: for ever.
    /// - Throws: `taskEnded` when it ended DLQ, CANCELLED or EXPIRED; `timedOut` past `limit`; `refused` with NOTASK
    ///   when its record is gone; `decoding`; `cancelled`.
    public func result(within limit: Duration? = nil) async throws(MartletError) -> Output {
        let clock = ContinuousClock()
        let end = limit.map { clock.now + $0 }
        var pause = Duration.milliseconds(20)
        while true {
            if let details = try await detailsIfReachable(), details.state.isEnded { return try await outcome(details) }
            if let end, clock.now + pause > end { throw .timedOut("task \(id)") }
            do { try await clock.sleep(for: pause) } catch { throw .cancelled }
            pause = min(pause * 3 / 2, .seconds(1))
        }
    }

    /// What the broker knows about it now.
    public func details(payload: Bool = false, history: Bool = false) async throws(MartletError) -> TaskDetails {
        try await client.task(id, payload: payload, history: history)
    }

    private func detailsIfReachable() async throws(MartletError) -> TaskDetails? {
        do {
            return try await client.task(id)
        } catch .timedOut {
            return nil
        }
    }

    private func outcome(_ details: TaskDetails) async throws(MartletError) -> Output {
        guard details.state == .completed else {
            throw .taskEnded(
                EndedTask(id: id, state: details.state, kind: details.errorKind, message: details.lastError))
        }
        return try decode(try await client.result(id) ?? [])
    }
}

public import MartletProtocol

/// A submitted task: its id, and the way to its result.
public struct TaskHandle<Output: Sendable>: Sendable {
    /// The task.
    public let id: TaskID
    /// `false`: it was there already under its UNIQUE key; `nil`: not known.
    public internal(set) var isNew: Bool?
    let client: MartletClient
    let decode: @Sendable (Bytes) throws(MartletError) -> Output

    /// Waits until the task has ended and returns its result.
    ///
    /// The broker tells the end (TASK.WAIT): at once to the first 15 who wait with one client, within 200 ms to the
    /// others. A broker that is away is waited for.
    ///
    /// - Parameter limit: how long to wait; `nil`: for ever.
    /// - Throws: `taskEnded` when it ended DLQ, CANCELLED or EXPIRED; `timedOut` past `limit`; `refused` with NOTASK
    ///   when its record is gone; `decoding`; `cancelled`; `closed`.
    public func result(within limit: Duration? = nil) async throws(MartletError) -> Output {
        let report = try await client.waiters.end(of: id, by: limit.map { .now + $0 })
        guard let state = report.state else { throw .refused(Refusal(line: "NOTASK no task \(id)")) }
        guard state == .completed else {
            // The kind is with the record, if that is still there.
            let kind = try? await client.task(id).errorKind
            throw .taskEnded(EndedTask(id: id, state: state, kind: kind, message: report.error))
        }
        if let result = report.result { return try decode(result) }
        // None, or too large to come with those of the others.
        return try decode(try await client.result(id) ?? [])
    }

    /// What the broker knows about it now.
    public func details(payload: Bool = false, history: Bool = false) async throws(MartletError) -> TaskDetails {
        try await client.task(id, payload: payload, history: history)
    }

    /// Why it is not running now, and what would change that.
    public func why() async throws(MartletError) -> TaskWait { try await client.why(id) }

    /// Gives it up; see `MartletClient.cancel`.
    @discardableResult
    public func cancel(reason: String? = nil) async throws(MartletError) -> TaskState {
        try await client.cancel(id, reason: reason)
    }
}

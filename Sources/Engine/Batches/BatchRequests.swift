public import MartletProtocol

/// What of a batch a task follows from. The raw value is stored.
public enum BatchEnd: UInt8, Sendable, CaseIterable {
    /// All its tasks have completed.
    case success = 1
    /// All its tasks have ended, however.
    case complete = 2
}

/// A task that is added when a batch ends so.
public struct BatchFollower: Hashable, Sendable {
    public var on: BatchEnd
    public var queue: Bytes
    public var type: Bytes
    public var payload: Bytes

    public init(on: BatchEnd, queue: Bytes, type: Bytes, payload: Bytes) {
        (self.on, self.queue, self.type, self.payload) = (on, queue, type, payload)
    }
}

/// BATCH.NEW.
public struct BatchNewRequest: Sendable {
    public var followers: [BatchFollower]
    public var request: RequestNonce?

    public init(followers: [BatchFollower], request: RequestNonce? = nil) {
        (self.followers, self.request) = (followers, request)
    }
}

/// BATCH.SEAL, BATCH.CANCEL.
public struct BatchRequest: Sendable {
    public enum Action: Sendable {
        case seal
        case cancel
    }

    /// Its id, as it was written.
    public var batch: Bytes
    public var action: Action
    public var request: RequestNonce?

    public init(batch: Bytes, action: Action, request: RequestNonce? = nil) {
        (self.batch, self.action, self.request) = (batch, action, request)
    }
}

/// What BATCH.INFO tells.
public struct BatchView: Hashable, Sendable {
    public enum State: String, Sendable {
        /// It takes tasks.
        case open
        /// It is sealed, and some of its tasks have not ended.
        case running
        /// All its tasks have completed.
        case succeeded
        /// All its tasks have ended, some of them badly.
        case failed
        case cancelled
    }

    public var id: TaskID
    public var total: Int64
    public var pending: Int64
    public var completed: Int64
    public var failed: Int64
    public var isSealed: Bool
    public var state: State

    public init(
        id: TaskID, total: Int64, pending: Int64, completed: Int64, failed: Int64, isSealed: Bool, state: State
    ) {
        (self.id, self.total, self.pending, self.completed) = (id, total, pending, completed)
        (self.failed, self.isSealed, self.state) = (failed, isSealed, state)
    }
}

public import MartletProtocol

/// QUEUE.SET.
public struct QueueSetRequest: Sendable {
    public var queue: Bytes
    /// Which options are set …
    public var given: [QueueOption]
    /// … and to what; `nil` there: back to the broker's own default.
    public var options: QueueOptions
    public var request: RequestNonce?

    public init(queue: Bytes, given: [QueueOption], options: QueueOptions, request: RequestNonce? = nil) {
        self.queue = queue
        self.given = given
        self.options = options
        self.request = request
    }
}

/// QUEUE.PAUSE.
public struct QueuePauseRequest: Sendable {
    public var queue: Bytes
    public var direction: Direction
    /// `nil`: until it is resumed.
    public var span: Milliseconds?
    public var request: RequestNonce?

    public enum Direction: Hashable, Sendable, CaseIterable {
        /// Nothing is added.
        case adding
        /// Nothing is handed out.
        case handingOut
        case both
    }

    public init(queue: Bytes, direction: Direction, span: Milliseconds? = nil, request: RequestNonce? = nil) {
        self.queue = queue
        self.direction = direction
        self.span = span
        self.request = request
    }
}

/// QUEUE.DRAIN.
public struct QueueDrainRequest: Sendable {
    public var queue: Bytes
    /// Wait until no unended task is left.
    public var block: ReserveRequest.Block
    public var request: RequestNonce?
    public var caller: CallerID

    public init(
        queue: Bytes, block: ReserveRequest.Block = .no, request: RequestNonce? = nil, caller: CallerID = 0
    ) {
        self.queue = queue
        self.block = block
        self.request = request
        self.caller = caller
    }
}

/// A queue by its name: QUEUE.RESUME, QUEUE.DEL.
public struct QueueRequest: Sendable {
    public var queue: Bytes
    public var request: RequestNonce?
    public var caller: CallerID

    public init(queue: Bytes, request: RequestNonce? = nil, caller: CallerID = 0) {
        self.queue = queue
        self.request = request
        self.caller = caller
    }
}

/// TASK.RETRY.
public struct RetryRequest: Sendable {
    public var id: TaskID?
    /// As if it had not been attempted.
    public var reset: Bool
    public var request: RequestNonce?

    public init(id: TaskID?, reset: Bool = false, request: RequestNonce? = nil) {
        self.id = id
        self.reset = reset
        self.request = request
    }
}

/// Something is to be done to many tasks: QUEUE.PURGE, DLQ.PURGE, DLQ.REPLAY, TASK.BULK.
public struct BulkRequest: Sendable {
    public var queue: Bytes
    /// Not `remove` and not `count`.
    public var verb: BulkVerb
    public var filter: BulkFilter
    /// Where `move` moves to.
    public var target: BulkTarget?
    /// Only counts what it would be done to.
    public var isDryRun = false
    /// Tasks a second.
    public var rate: Int64?
    public var request: RequestNonce?
    /// Who waits for the end of a purge or a count.
    public var caller: CallerID

    public init(
        queue: Bytes, verb: BulkVerb, filter: BulkFilter, rate: Int64? = nil, request: RequestNonce? = nil,
        caller: CallerID = 0
    ) {
        self.queue = queue
        self.verb = verb
        self.filter = filter
        self.rate = rate
        self.request = request
        self.caller = caller
    }
}

/// TASK.STOPOP.
public struct StopOperationRequest: Sendable {
    /// As it was sent.
    public var id: Bytes
    /// `nil`: the text was no operation's id.
    public var number: UInt64?
    public var request: RequestNonce?

    public init(id: Bytes = [], number: UInt64?, request: RequestNonce? = nil) {
        (self.id, self.number) = (id, number)
        self.request = request
    }
}

/// DLQ.LIST … BY KIND.
public struct DeadKindsRequest: Sendable {
    public var queue: Bytes
    /// Where the page begins.
    public var cursor: UInt64
    public var count: Int

    public init(queue: Bytes, cursor: UInt64 = 0, count: Int = 100) {
        self.queue = queue
        self.cursor = cursor
        self.count = count
    }
}

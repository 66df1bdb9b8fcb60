public import MartletProtocol

/// WORKER.HELLO: a worker introduces itself. What it does not say is unknown.
public struct HelloRequest: Sendable {
    public var worker: Bytes
    public var host: Bytes?
    public var process: Int64?
    public var slots: Int64?
    public var queues: [Bytes]
    /// The library it uses, and its version.
    public var library: (name: Bytes, version: Bytes)?
    public var request: RequestNonce?

    public init(worker: Bytes) {
        self.worker = worker
        queues = []
    }
}

/// WORKER.BEAT: a worker is alive, and wants to keep these leases.
public struct BeatRequest: Sendable {
    public var worker: Bytes
    /// Resident memory in bytes.
    public var residentBytes: Int64?
    /// Slots that run a task.
    public var busy: Int64?
    /// Each by the lease length of its hand-out.
    public var extend: [(id: TaskID, token: Int64)]
    public var request: RequestNonce?

    public init(worker: Bytes) {
        self.worker = worker
        extend = []
    }
}

/// WORKER.QUIET and WORKER.STOP.
public struct OrderRequest: Sendable {
    /// `nil`: every worker there is.
    public var worker: Bytes?
    public var order: WorkerOrder
    public var request: RequestNonce?

    public init(worker: Bytes?, order: WorkerOrder, request: RequestNonce? = nil) {
        (self.worker, self.order, self.request) = (worker, order, request)
    }
}

/// What a worker is to do; it learns it from its next BEAT.
public enum WorkerOrder: UInt8, CaseIterable, Hashable, Sendable {
    case run = 1
    /// Finish what is in hand, take nothing new.
    case quiet = 2
    /// Finish what is in hand and end.
    case stop = 3

    /// As it reads on the wire.
    public var name: String {
        switch self {
        case .run: "run"
        case .quiet: "quiet"
        case .stop: "stop"
        }
    }
}

/// TASK.LOG: lines for a task in hand.
public struct LogRequest: Sendable {
    public var id: TaskID?
    public var token: Int64
    public var lines: [Bytes]
    public var request: RequestNonce?

    public init(id: TaskID?, token: Int64, lines: [Bytes], request: RequestNonce? = nil) {
        (self.id, self.token) = (id, token)
        (self.lines, self.request) = (lines, request)
    }
}

/// TASK.LOGS: a page of a task's lines, the oldest first.
public struct LogsRequest: Sendable {
    public var id: TaskID?
    /// Only those of this attempt.
    public var attempt: Int64?
    /// The number of the line to go on from; 0: the first.
    public var cursor: UInt64
    /// At most so many.
    public var count: Int

    public init(id: TaskID?, attempt: Int64? = nil, cursor: UInt64 = 0, count: Int = 100) {
        self.id = id
        self.attempt = attempt
        self.cursor = cursor
        self.count = count
    }
}

/// TASK.WAIT: until all these tasks have ended.
public struct WaitRequest: Sendable {
    /// As they were sent; the answer repeats them.
    public var ids: [Bytes]
    public var block: ReserveRequest.Block
    public var caller: CallerID

    public init(ids: [Bytes], block: ReserveRequest.Block = .no, caller: CallerID = 0) {
        self.ids = ids
        self.block = block
        self.caller = caller
    }
}

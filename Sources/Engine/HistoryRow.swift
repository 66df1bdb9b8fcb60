import MartletProtocol
import MartletStorage

/// Why a task moved, where that cannot be derived.
enum MoveReason: UInt8 {
    case fail = 1
    case leaseExpired = 2
    case timeout = 3
    case release = 4
    case timeToLive = 5
    case cancel = 6
    case move = 7
    case retry = 8
    /// Of a task that was retried after it had completed.
    case acknowledge = 9
    /// What it was parked for is no more.
    case unblock = 10
    /// It must wait for something again.
    case block = 11

    var name: String {
        switch self {
        case .fail: "fail"
        case .leaseExpired: "lease_expired"
        case .timeout: "timeout"
        case .release: "release"
        case .timeToLive: "ttl"
        case .cancel: "cancel"
        case .move: "move"
        case .retry: "retry"
        case .acknowledge: "ack"
        case .unblock: "unblock"
        case .block: "block"
        }
    }

    /// Whether the move ends a failed attempt.
    var isFailure: Bool { self == .fail || self == .leaseExpired || self == .timeout }
}

/// A move that cannot be derived from the task's own times, and the hand-out before it.
///
///     mask u8 │ reason u8 │ from u8 │ to u8 │ at i64 │ attempt i64 │ started at i64 │ run at i64 │ token i64
///     │ retries left i64 │ [worker] [kind] [message] [trace], each behind its length
struct HistoryRow {
    var reason: MoveReason
    var from: TaskState
    var to: TaskState
    var at: Timestamp
    var attempt: Int64
    /// When the attempt started; 0: the task was not handed out.
    var startedAt: Timestamp
    /// When the task is due again.
    var runAt: Timestamp
    /// The token that ended the attempt.
    var token: Int64
    var retriesLeft: Int64
    var worker: Bytes?
    var kind: Bytes?
    var message: Bytes?
    var trace: Bytes?

    init(_ reason: MoveReason, of state: StateRecord, from: TaskState, to: TaskState, at: Timestamp) {
        self.reason = reason
        self.from = from
        self.to = to
        self.at = at
        attempt = state.attempt
        startedAt = from == .active ? state.startedAt : 0
        runAt = state.runAt
        token = from == .active ? state.token : 0
        retriesLeft = to.isEnded ? 0 : max(0, state.retries - state.attempt)
        worker = from == .active ? state.worker : nil
    }

    func write(to record: inout RecordWriter) {
        var mask: UInt8 = 0
        let texts = [worker, kind, message, trace]
        for (bit, text) in texts.enumerated() where text != nil { mask |= 1 << UInt8(bit) }
        record.uint8(mask)
        record.uint8(reason.rawValue)
        record.uint8(from.rawValue)
        record.uint8(to.rawValue)
        for field in [at, attempt, startedAt, runAt, token, retriesLeft] { record.int64(field) }
        for case let text? in texts { record.bytes(text) }
    }

    init(from record: inout RecordReader) {
        let mask = record.uint8()
        let reason = MoveReason(rawValue: record.uint8())
        let before = TaskState(rawValue: record.uint8())
        let after = TaskState(rawValue: record.uint8())
        if reason == nil || before == nil || after == nil { record.fail() }
        self.reason = reason ?? .fail
        from = before ?? .active
        to = after ?? .pending
        at = record.int64()
        attempt = record.int64()
        startedAt = record.int64()
        runAt = record.int64()
        token = record.int64()
        retriesLeft = record.int64()
        if mask & 1 != 0 { worker = record.bytes() }
        if mask & 2 != 0 { kind = record.bytes() }
        if mask & 4 != 0 { message = record.bytes() }
        if mask & 8 != 0 { trace = record.bytes() }
    }
}

import MartletProtocol
import MartletStorage

/// What became of a task. There is none until it is first handed out (or ends without).
///
/// Numbers are `varint`s; an instant is told by what lies between it and an earlier one, so that most take a byte or
/// two:
///
///     mask u16 │ state u8 │ priority u8 │ queue │ type │ limits │ attempt │ retries │ token
///     │ run at │ started at (after run at) │ deadline (after started at) │ lease │ keep
///     │ [ended at (after started at)] [expires at (after run at)] [history rows] [progress u8] [result size]
///     │ [worker] [last error] [error kind] [note] [result], each behind its length
struct StateRecord {
    /// Results up to this size lie in the record itself.
    static let inlineResult = 2_048

    var queue: UInt32
    var type: UInt32
    var state: TaskState
    var priority: Int
    /// The number of the limits it needs; 0: none.
    var limits: UInt16
    var attempt: Int64 = 0
    var retries: Int64
    /// Of the last hand-out; 0: none.
    var token: Int64 = 0
    var runAt: Timestamp
    var startedAt: Timestamp = 0
    var deadline: Timestamp = 0
    var lease: Milliseconds = 0
    var keep: Milliseconds
    var endedAt: Timestamp?
    /// When its time to live ends.
    var expiresAt: Timestamp?
    /// How many history rows were ever written.
    var historyRows: UInt32 = 0
    var progress: Int?
    var resultSize: Int?
    var worker: Bytes?
    var lastError: Bytes?
    var errorKind: Bytes?
    var note: Bytes?
    /// `nil` although there is a `resultSize`: it lies in `bodies`.
    var result: Bytes?
    /// The payload lies in `bodies`.
    var hasBody: Bool
    /// A timer of its own says when its record goes: it does not stand in a `KeptLine`.
    var hasRetentionTimer = false
    /// It is to end as CANCELLED: whoever holds it is told at the next TOUCH or BEAT.
    var cancel = false
    /// There are lines in `logs`.
    var hasLog = false
    /// The task was added with a UNIQUE key.
    var hasUnique: Bool
    /// Its end concerns more than itself (a batch, an order): the task's record says what.
    var isTied: Bool

    init(of task: TaskRecord) {
        queue = task.queue
        type = task.type
        state = .pending
        priority = task.priority
        limits = task.limits?.set ?? 0
        retries = task.retries
        runAt = task.runAt
        keep = task.keep
        expiresAt = task.expiresAt
        hasBody = task.hasBody
        hasUnique = task.unique != nil
        isTied = task.isTied
    }

    /// When its record goes; `nil`: not by itself.
    var keepUntil: Timestamp? { state == .dead ? nil : endedAt.map { $0 &+ keep } }

    var lane: Lane { state == .blocked ? .parked : attempt > 0 ? .retry : .fresh }

    /// Where its task waits.
    func waitingKey(_ sequence: UInt64) -> WaitingKey {
        let range = WaitingRange(priority: priority, lane: lane)
        return WaitingKey(queue: queue, range: range, limits: limits, due: runAt, sequence: sequence)
    }

    private enum Bit {
        static let endedAt: UInt16 = 1
        static let retentionTimer: UInt16 = 2
        static let expiresAt: UInt16 = 4
        static let history: UInt16 = 8
        static let progress: UInt16 = 16
        static let resultSize: UInt16 = 32
        static let worker: UInt16 = 64
        static let lastError: UInt16 = 128
        static let errorKind: UInt16 = 256
        static let note: UInt16 = 512
        static let result: UInt16 = 1_024
        static let body: UInt16 = 2_048
        static let cancel: UInt16 = 4_096
        static let log: UInt16 = 8_192
        static let unique: UInt16 = 16_384
        static let tied: UInt16 = 32_768
    }

    private var mask: UInt16 {
        var mask: UInt16 = 0
        if endedAt != nil { mask |= Bit.endedAt }
        if hasRetentionTimer { mask |= Bit.retentionTimer }
        if expiresAt != nil { mask |= Bit.expiresAt }
        if historyRows > 0 { mask |= Bit.history }
        if progress != nil { mask |= Bit.progress }
        if resultSize != nil { mask |= Bit.resultSize }
        if worker != nil { mask |= Bit.worker }
        if lastError != nil { mask |= Bit.lastError }
        if errorKind != nil { mask |= Bit.errorKind }
        if note != nil { mask |= Bit.note }
        if result != nil { mask |= Bit.result }
        if hasBody { mask |= Bit.body }
        if cancel { mask |= Bit.cancel }
        if hasLog { mask |= Bit.log }
        if hasUnique { mask |= Bit.unique }
        if isTied { mask |= Bit.tied }
        return mask
    }

    func write(to record: inout RecordWriter) {
        record.uint16(mask)
        record.uint8(state.rawValue)
        record.uint8(UInt8(priority))
        record.varint(UInt64(queue))
        record.varint(UInt64(type))
        record.varint(UInt64(limits))
        record.signed(attempt)
        record.signed(retries)
        record.signed(token)
        record.signed(runAt)
        record.instant(startedAt, after: runAt)
        record.instant(deadline, after: startedAt)
        record.signed(lease)
        record.signed(keep)
        if let endedAt { record.instant(endedAt, after: startedAt) }
        if let expiresAt { record.instant(expiresAt, after: runAt) }
        if historyRows > 0 { record.varint(UInt64(historyRows)) }
        if let progress { record.uint8(UInt8(progress)) }
        if let resultSize { record.varint(UInt64(resultSize)) }
        if let worker { record.bytes(worker) }
        if let lastError { record.bytes(lastError) }
        if let errorKind { record.bytes(errorKind) }
        if let note { record.bytes(note) }
        if let result { record.bytes(result) }
    }

    init(from record: inout RecordReader) {
        let mask = record.uint16()
        let state = TaskState(rawValue: record.uint8())
        if state == nil { record.fail() }
        self.state = state ?? .dead
        priority = Int(record.uint8())
        if !(1...10).contains(priority) { record.fail() }
        queue = record.varint32()
        type = record.varint32()
        limits = record.varint16()
        attempt = record.signed()
        retries = record.signed()
        token = record.signed()
        runAt = record.signed()
        startedAt = record.instant(after: runAt)
        deadline = record.instant(after: startedAt)
        lease = record.signed()
        keep = record.signed()
        hasBody = mask & Bit.body != 0
        hasRetentionTimer = mask & Bit.retentionTimer != 0
        cancel = mask & Bit.cancel != 0
        hasLog = mask & Bit.log != 0
        hasUnique = mask & Bit.unique != 0
        isTied = mask & Bit.tied != 0
        if mask & Bit.endedAt != 0 { endedAt = record.instant(after: startedAt) }
        if mask & Bit.expiresAt != 0 { expiresAt = record.instant(after: runAt) }
        if mask & Bit.history != 0 { historyRows = record.varint32() }
        if mask & Bit.progress != 0 { progress = Int(record.uint8()) }
        if mask & Bit.resultSize != 0 { resultSize = Int(record.varint32()) }
        if mask & Bit.worker != 0 { worker = record.bytes() }
        if mask & Bit.lastError != 0 { lastError = record.bytes() }
        if mask & Bit.errorKind != 0 { errorKind = record.bytes() }
        if mask & Bit.note != 0 { note = record.bytes() }
        if mask & Bit.result != 0 { result = record.bytes() }
    }
}

import MartletProtocol
import MartletStorage

/// A batch: tasks that are one undertaking. Stored under its sequence, once a group in which it changed.
///
///     flags u8 (1 sealed, 2 cancelled, 4 SUCCESS was told, 8 COMPLETE was told, 16 tasks follow) │ total i64
///     │ completed i64 │ failed i64 │ over at i64, −1: it is not
struct BatchRecord: Equatable {
    var isSealed = false
    var isCancelled = false
    /// The ends whose tasks were added already: each once.
    var told: Set<BatchEnd> = []
    /// There is a record of tasks that follow.
    var hasFollowers = false
    var total: Int64 = 0
    var completed: Int64 = 0
    /// Dead, cancelled, expired, or deleted before they ended.
    var failed: Int64 = 0
    /// When the last of its tasks had ended.
    var over: Timestamp?

    /// Those that have not ended; each has an entry in `members`.
    var pending: Int64 { total - completed - failed }

    init(hasFollowers: Bool) { self.hasFollowers = hasFollowers }

    mutating func count(_ state: TaskState, _ change: Int64) {
        if state == .completed { completed += change } else { failed += change }
    }

    /// The ends that have come and were not told.
    var due: Set<BatchEnd> {
        guard isSealed, pending == 0 else { return [] }
        let ends: Set<BatchEnd> = failed == 0 && !isCancelled ? [.success, .complete] : [.complete]
        return ends.subtracting(told)
    }

    var state: BatchView.State {
        if isCancelled { return .cancelled }
        if !isSealed { return .open }
        return pending > 0 ? .running : failed > 0 ? .failed : .succeeded
    }

    private enum Flag {
        static let sealed: UInt8 = 1
        static let cancelled: UInt8 = 2
        static let success: UInt8 = 4
        static let complete: UInt8 = 8
        static let followers: UInt8 = 16
    }

    func write(to record: inout RecordWriter) {
        var flags: UInt8 = 0
        if isSealed { flags |= Flag.sealed }
        if isCancelled { flags |= Flag.cancelled }
        if told.contains(.success) { flags |= Flag.success }
        if told.contains(.complete) { flags |= Flag.complete }
        if hasFollowers { flags |= Flag.followers }
        record.uint8(flags)
        for number in [total, completed, failed, over ?? -1] { record.int64(number) }
    }

    init(from record: inout RecordReader) {
        let flags = record.uint8()
        (isSealed, isCancelled) = (flags & Flag.sealed != 0, flags & Flag.cancelled != 0)
        if flags & Flag.success != 0 { told.insert(.success) }
        if flags & Flag.complete != 0 { told.insert(.complete) }
        hasFollowers = flags & Flag.followers != 0
        (total, completed, failed) = (record.int64(), record.int64(), record.int64())
        let over = record.int64()
        self.over = over >= 0 ? over : nil
    }
}

/// `batch's sequence u64 │ task's sequence u64`
func memberKey(_ batch: UInt64, _ sequence: UInt64) -> KeyBytes {
    var key = taskKey(batch)
    key.append(sequence)
    return key
}

extension BatchFollower {
    /// `n u32 │ n × (on u8 │ queue │ type │ payload)`
    static func write(_ followers: [BatchFollower], to record: inout RecordWriter) {
        record.uint32(UInt32(followers.count))
        for follower in followers {
            record.uint8(follower.on.rawValue)
            record.bytes(follower.queue)
            record.bytes(follower.type)
            record.bytes(follower.payload)
        }
    }

    static func list(from record: inout RecordReader) -> [BatchFollower] {
        var followers: [BatchFollower] = []
        for _ in 0..<record.uint32() where record.left > 0 {
            let on = BatchEnd(rawValue: record.uint8())
            if on == nil { record.fail() }
            followers.append(
                BatchFollower(
                    on: on ?? .complete, queue: record.bytes(), type: record.bytes(), payload: record.bytes()))
        }
        return followers
    }
}

import MartletProtocol
import MartletStorage

/// A task as it was added. Written once; what a task does not say itself takes no room.
///
///     mask u16 │ priority u8 │ queue varint │ type varint │ [created i64] │ [run at i64]
///     │ [retries i64] [back-off] [jitter u8] [lease i64] [timeout i64] [time to live i64] [keep i64]
///     │ [tags: n u8, n × bytes] [meta: n u8, n × (name, value)] [unique: until u8, span i64, key]
///     │ [group] [ties: mask u8 │ [1: batch u64] [2: order key]
///     [4: limits u16, n u8, n × cost i64]] │ payload, or its size u32 if it lies in `bodies`
struct TaskRecord {
    /// Payloads up to this size lie in the record itself.
    static let inlinePayload = 2_048

    var queue: UInt32
    var type: UInt32
    var priority: Int
    var created: Timestamp
    var runAt: Timestamp
    var retries = TaskDefaults.retries
    var backoff = TaskDefaults.backoff
    var jitter = TaskDefaults.jitter
    var lease = TaskDefaults.lease
    var timeout: Milliseconds?
    var timeToLive: Milliseconds?
    var keep = TaskDefaults.keep
    var tags: [Bytes] = []
    var meta: [MetaField] = []
    var unique: UniqueKey?
    var group: Bytes?
    var order: Bytes?
    /// The batch it belongs to.
    var batch: UInt64?
    var limits: TaskLimits?
    var payloadSize = 0
    /// The payload lies in `bodies`.
    var hasBody = false

    /// When its time to live ends.
    var expiresAt: Timestamp? { timeToLive.map { created + $0 } }

    private enum Bit {
        static let retries: UInt16 = 1
        static let backoff: UInt16 = 2
        static let jitter: UInt16 = 4
        static let lease: UInt16 = 8
        static let timeout: UInt16 = 16
        static let timeToLive: UInt16 = 32
        static let keep: UInt16 = 64
        static let body: UInt16 = 128
        /// It was not created in the millisecond its sequence tells.
        static let created: UInt16 = 256
        /// It was not due when it was created.
        static let runAt: UInt16 = 512
        static let tags: UInt16 = 1_024
        static let meta: UInt16 = 2_048
        static let unique: UInt16 = 4_096
        static let group: UInt16 = 8_192
        static let ties: UInt16 = 16_384
        static let labels = tags | meta | unique | group | ties
    }

    /// What else it concerns when it ends, and what it waits for: behind the other labels, with a mask of their own.
    private enum Tie {
        static let batch: UInt8 = 1
        static let order: UInt8 = 2
        static let limits: UInt8 = 4
    }

    /// Its end concerns more than itself.
    var isTied: Bool { batch != nil || order != nil }

    private func mask(_ sequence: UInt64) -> UInt16 {
        var mask: UInt16 = 0
        if created != Self.instant(sequence) { mask |= Bit.created }
        if runAt != created { mask |= Bit.runAt }
        if retries != TaskDefaults.retries { mask |= Bit.retries }
        if backoff != TaskDefaults.backoff { mask |= Bit.backoff }
        if jitter != TaskDefaults.jitter { mask |= Bit.jitter }
        if lease != TaskDefaults.lease { mask |= Bit.lease }
        if timeout != nil { mask |= Bit.timeout }
        if timeToLive != nil { mask |= Bit.timeToLive }
        if keep != TaskDefaults.keep { mask |= Bit.keep }
        if hasBody { mask |= Bit.body }
        if !tags.isEmpty { mask |= Bit.tags }
        if !meta.isEmpty { mask |= Bit.meta }
        if unique != nil { mask |= Bit.unique }
        if group != nil { mask |= Bit.group }
        if isTied || limits != nil { mask |= Bit.ties }
        return mask
    }

    /// The millisecond a sequence was drawn in.
    private static func instant(_ sequence: UInt64) -> Timestamp { Timestamp(sequence >> 16) }

    func write(to record: inout RecordWriter, sequence: UInt64, payload: Bytes) {
        let mask = mask(sequence)
        record.uint16(mask)
        record.uint8(UInt8(priority))
        record.varint(UInt64(queue))
        record.varint(UInt64(type))
        if mask & Bit.created != 0 { record.int64(created) }
        if mask & Bit.runAt != 0 { record.int64(runAt) }
        if mask & Bit.retries != 0 { record.int64(retries) }
        if mask & Bit.backoff != 0 { backoff.write(to: &record) }
        if mask & Bit.jitter != 0 { record.uint8(UInt8(jitter)) }
        if mask & Bit.lease != 0 { record.int64(lease) }
        if let timeout { record.int64(timeout) }
        if let timeToLive { record.int64(timeToLive) }
        if mask & Bit.keep != 0 { record.int64(keep) }
        if mask & Bit.labels != 0 { writeLabels(to: &record) }
        if hasBody { record.uint32(UInt32(payloadSize)) } else { record.rest(payload) }
    }

    init(queue: UInt32, type: UInt32, priority: Int, created: Timestamp, runAt: Timestamp) {
        self.queue = queue
        self.type = type
        self.priority = priority
        self.created = created
        self.runAt = runAt
    }

    /// Leaves the reader where an inline payload begins.
    init(from record: inout RecordReader, sequence: UInt64) {
        let mask = record.uint16()
        priority = Int(record.uint8())
        queue = record.varint32()
        type = record.varint32()
        created = mask & Bit.created != 0 ? record.int64() : Self.instant(sequence)
        runAt = mask & Bit.runAt != 0 ? record.int64() : created
        if mask & Bit.retries != 0 { retries = record.int64() }
        if mask & Bit.backoff != 0 { backoff = Backoff(from: &record) }
        if mask & Bit.jitter != 0 { jitter = Int(record.uint8()) }
        if mask & Bit.lease != 0 { lease = record.int64() }
        if mask & Bit.timeout != 0 { timeout = record.int64() }
        if mask & Bit.timeToLive != 0 { timeToLive = record.int64() }
        if mask & Bit.keep != 0 { keep = record.int64() }
        if mask & Bit.labels != 0 { readLabels(mask, from: &record) }
        hasBody = mask & Bit.body != 0
        payloadSize = hasBody ? Int(record.uint32()) : record.left
        if !(1...10).contains(priority) { record.fail() }
    }
}

// What few tasks have; apart, so that the others pay one comparison.
extension TaskRecord {
    private func writeLabels(to record: inout RecordWriter) {
        if !tags.isEmpty {
            record.uint8(UInt8(tags.count))
            for tag in tags { record.bytes(tag) }
        }
        if !meta.isEmpty {
            record.uint8(UInt8(meta.count))
            for field in meta {
                record.bytes(field.name)
                record.bytes(field.value)
            }
        }
        if let unique {
            record.uint8(unique.until.rawValue)
            record.int64(unique.span ?? 0)
            record.bytes(unique.key)
        }
        if let group { record.bytes(group) }
        if isTied || limits != nil { writeTies(to: &record) }
    }

    private func writeTies(to record: inout RecordWriter) {
        record.uint8((batch == nil ? 0 : Tie.batch) | (order == nil ? 0 : Tie.order) | (limits == nil ? 0 : Tie.limits))
        if let batch { record.uint64(batch) }
        if let order { record.bytes(order) }
        limits?.write(to: &record)
    }

    private mutating func readTies(from record: inout RecordReader) {
        let mask = record.uint8()
        if mask & Tie.batch != 0 { batch = record.uint64() }
        if mask & Tie.order != 0 { order = record.bytes() }
        if mask & Tie.limits != 0 { limits = TaskLimits(from: &record) }
    }

    private mutating func readLabels(_ mask: UInt16, from record: inout RecordReader) {
        if mask & Bit.tags != 0 { for _ in 0..<record.uint8() { tags.append(record.bytes()) } }
        if mask & Bit.meta != 0 {
            for _ in 0..<record.uint8() { meta.append(MetaField(name: record.bytes(), value: record.bytes())) }
        }
        if mask & Bit.unique != 0 { readUnique(from: &record) }
        if mask & Bit.group != 0 { group = record.bytes() }
        if mask & Bit.ties != 0 { readTies(from: &record) }
    }

    private mutating func readUnique(from record: inout RecordReader) {
        let until = UniqueKey.Until(rawValue: record.uint8())
        if until == nil { record.fail() }
        let span = record.int64()
        unique = UniqueKey(record.bytes(), span: span > 0 ? span : nil, until: until ?? .done)
    }
}

extension Backoff {
    /// `kind u8 │ base, cap | step, cap | delay | n u8, n delays`, each i64
    func write(to record: inout RecordWriter) {
        switch self {
        case .exponential(let base, let cap):
            record.uint8(1)
            record.int64(base)
            record.int64(cap)
        case .linear(let step, let cap):
            record.uint8(2)
            record.int64(step)
            record.int64(cap)
        case .fixed(let delay):
            record.uint8(3)
            record.int64(delay)
        case .list(let delays):
            record.uint8(4)
            record.uint8(UInt8(delays.count))
            for delay in delays { record.int64(delay) }
        }
    }

    init(from record: inout RecordReader) {
        switch record.uint8() {
        case 1: self = .exponential(base: record.int64(), cap: record.int64())
        case 2: self = .linear(step: record.int64(), cap: record.int64())
        case 3: self = .fixed(record.int64())
        case 4:
            var delays: [Milliseconds] = []
            for _ in 0..<record.uint8() { delays.append(record.int64()) }
            self = .list(delays)
        default:
            record.fail()
            self = .fixed(0)
        }
    }
}

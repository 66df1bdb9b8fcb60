public import MartletProtocol
import MartletStorage

public enum BulkState: UInt8, Sendable {
    /// Finds out how many match.
    case counting = 1
    case running = 2
    case done = 3
    case stopped = 4

    public var isOver: Bool { self == .done || self == .stopped }

    /// The name on the wire.
    public var name: String {
        switch self {
        case .counting, .running: "running"
        case .done: "done"
        case .stopped: "stopped"
        }
    }
}

/// Something that is done to many tasks of a queue, slice by slice. Stored with every slice, in its transaction: after
/// a crash it goes on where it was.
///
///     mask u8 │ queue u32 │ verb u8 │ state u8 │ task state u8 │ most i64 │ rate i64 │ started i64 │ ended i64
///     │ matched i64 │ done i64 │ failed i64 │ before sequence u64 │ [1: type] [2: kind] [4: tag] [8: age i64]
///     │ [16: to priority u8, 0: as it is, to run at i64, −1: as it is, to queue, empty: as it is] place
///
/// Names and the place have their length before them.
struct BulkOperation {
    let number: UInt64
    let queue: UInt32
    let verb: BulkVerb
    var filter: BulkFilter
    /// With `move`, and when what it would move is counted.
    let target: BulkTarget?
    /// Tasks a second.
    let rate: Int64?
    /// Only tasks with a lower sequence …
    let before: UInt64
    /// … that were in their state by then.
    let started: Timestamp

    var state: BulkState
    var ended: Timestamp?
    var matched: Int64 = 0
    var done: Int64 = 0
    var failed: Int64 = 0
    /// The index entry that was looked at last; empty: none so far.
    var place = KeyBytes()

    // What follows lives in memory alone.

    /// Who waits for the end, and the nonce to remember it under.
    var waiter: (caller: CallerID, request: RequestNonce?)?
    var pace = BulkPace()
    /// What it had handled when it began to walk the states once more.
    var handledBefore: Int64 = -1

    /// Tasks it has changed, or tried to.
    var handled: Int64 { done + failed }

    /// How many more it may change.
    var left: Int64 { filter.most.map { max(0, $0 - handled) } ?? .max }

    init(
        number: UInt64, queue: UInt32, verb: BulkVerb, filter: BulkFilter, target: BulkTarget? = nil,
        rate: Int64? = nil, before: UInt64, started: Timestamp
    ) {
        (self.number, self.queue, self.verb, self.filter) = (number, queue, verb, filter)
        (self.target, self.rate, self.before, self.started) = (target, rate, before, started)
        state = verb.isInBackground || verb == .count ? .counting : .running
    }

    /// The index it walks: waiting tasks lie in one, ended ones in another, those in hand in a third.
    var table: Table {
        filter.state.isEnded ? Tables.ended : filter.state == .active ? Tables.states : Tables.waiting
    }

    var prefix: KeyBytes {
        if filter.state.isEnded { return EndedKey.prefix(queue: queue, state: filter.state) }
        return filter.state == .active ? Phase.active.prefix : queueKey(queue)
    }

    /// The task that a key of its index is about.
    func sequence(_ key: KeyBytes) -> UInt64 {
        switch filter.state {
        case .active:
            var reader = key.reader
            _ = reader.next(UInt8.self)
            return reader.next()
        default: return filter.state.isEnded ? EndedKey(key)?.sequence ?? 0 : WaitingKey(key).sequence
        }
    }

    func write(to record: inout RecordWriter) {
        record.uint8(mask)
        record.uint32(queue)
        record.uint8(verb.rawValue)
        record.uint8(state.rawValue)
        record.uint8(filter.state.rawValue)
        for field in [filter.most ?? 0, rate ?? 0, started, ended ?? 0, matched, done, failed] { record.int64(field) }
        record.uint64(before)
        if let type = filter.type { record.bytes(type) }
        if let kind = filter.kind { record.bytes(kind) }
        if let tag = filter.tag { record.bytes(tag) }
        if let age = filter.age { record.int64(age) }
        if let target {
            record.uint8(UInt8(target.priority ?? 0))
            record.int64(target.runAt ?? -1)
            record.bytes(target.queue ?? [])
        }
        record.bytes(place.bytes)
    }

    private var mask: UInt8 {
        (filter.type == nil ? 0 : 1) | (filter.kind == nil ? 0 : 2) | (filter.tag == nil ? 0 : 4)
            | (filter.age == nil ? 0 : 8) | (target == nil ? 0 : 16)
    }

    init(number: UInt64, from record: inout RecordReader) {
        self.number = number
        let mask = record.uint8()
        queue = record.uint32()
        let verb = BulkVerb(rawValue: record.uint8())
        let state = BulkState(rawValue: record.uint8())
        let of = TaskState(rawValue: record.uint8())
        if verb == nil || state == nil || of == nil { record.fail() }
        self.verb = verb ?? .count
        self.state = state ?? .stopped
        let most = record.int64()
        let rate = record.int64()
        self.rate = rate > 0 ? rate : nil
        started = record.int64()
        let ended = record.int64()
        self.ended = ended > 0 ? ended : nil
        matched = record.int64()
        done = record.int64()
        failed = record.int64()
        before = record.uint64()
        var filter = BulkFilter(state: of ?? .dead, most: most > 0 ? most : nil)
        if mask & 1 != 0 { filter.type = record.bytes() }
        if mask & 2 != 0 { filter.kind = record.bytes() }
        if mask & 4 != 0 { filter.tag = record.bytes() }
        if mask & 8 != 0 { filter.age = record.int64() }
        self.filter = filter
        target = mask & 16 != 0 ? BulkTarget(from: &record) : nil
        for byte in record.bytes().prefix(KeyBytes.capacity) { place.append(byte) }
    }
}

extension BulkTarget {
    init(from record: inout RecordReader) {
        let (priority, runAt, queue) = (record.uint8(), record.int64(), record.bytes())
        if priority > 10 { record.fail() }
        self.init(
            priority: priority > 0 ? Int(priority) : nil, runAt: runAt >= 0 ? runAt : nil,
            queue: queue.isEmpty ? nil : queue)
    }
}

/// When the next slice of an operation may come, and how large it may be: so many tasks a second, evenly.
struct BulkPace {
    /// With a rate, slices come at most this often: each is a commit.
    static let interval: Milliseconds = 20
    /// A delay up to this is made up for.
    static let slack: Milliseconds = 40

    /// The next slice comes no earlier.
    var next = Timestamp.min
    /// Slices take turns: the number of the last one.
    var turn: UInt64 = 0
    /// The second that is being counted, and the tasks in it.
    private var second = Timestamp.min
    private var inSecond: Int64 = 0

    /// How many tasks may be handled now. What was missed while the broker was down or behind is not made up for.
    mutating func allowance(_ rate: Int64?, _ now: Timestamp) -> Int64 {
        guard let rate else { return .max }
        if second == .min || now - second >= 2_000 { (second, inSecond) = (now, 0) }
        if now - second >= 1_000 {
            let isInTime = inSecond + rate * Self.slack / 1_000 + 1 >= rate
            (second, inSecond) = isInTime ? (second + 1_000, inSecond - rate) : (now, 0)
        }
        return max(0, (now - second) * rate / 1_000 + 1 - inSecond)
    }

    /// A slice handled so many tasks.
    mutating func spend(_ tasks: Int64, _ rate: Int64?, _ now: Timestamp) {
        next = now
        guard let rate else { return }
        inSecond += tasks
        let due = second + (inSecond * 1_000 + rate - 1) / rate
        // What is late is made up for at once.
        next = due <= now ? now : max(due, now + Self.interval)
    }
}

/// What TASK.OPS tells of an operation.
public struct OperationView: Hashable, Sendable {
    public var number: UInt64
    public var verb: BulkVerb
    public var state: BulkState
    public var matched: Int64
    public var done: Int64
    public var failed: Int64
    public var rate: Int64?
    public var started: Timestamp
    public var ended: Timestamp?

    init(_ operation: BulkOperation) {
        (number, verb, state) = (operation.number, operation.verb, operation.state)
        (matched, done, failed) = (operation.matched, operation.done, operation.failed)
        (rate, started, ended) = (operation.rate, operation.started, operation.ended)
    }
}

import MartletProtocol
import MartletStorage

/// In which line a waiting task stands. RETRYSHARE decides between them.
enum Lane: UInt8 {
    /// No attempt so far.
    case fresh = 0
    /// At least one attempt failed.
    case retry = 1
    /// BLOCKED: a condition of its own is not met, so it stands in no line; of no use to hand-outs.
    case parked = 2
}

/// One of the 2 × 10 ranges of a queue's waiting index: a priority and a lane.
struct WaitingRange: Hashable {
    static let count = 20

    /// 0: priority 10, fresh. In the order of hand-out.
    let index: Int

    init(index: Int) { self.index = index }

    init(priority: Int, lane: Lane) {
        index = lane == .parked ? Self.count + 10 - priority : (10 - priority) * 2 + Int(lane.rawValue)
    }

    var priority: Int { lane == .parked ? 10 + Self.count - index : 10 - index / 2 }
    var lane: Lane { index >= Self.count ? .parked : index % 2 == 0 ? .fresh : .retry }
}

/// The place of a waiting task: the highest priority first, then which limits it needs, lane, due time, id.
///
///     queue u32 │ 10 − priority u8 │ limits u16 (0: none) │ lane u8 │ due i64 │ sequence u64
struct WaitingKey {
    /// The value carries these.
    enum Flag {
        /// It has a state record (phase waiting).
        static let state: UInt8 = 1
        /// It was entered before it was due, so it may have a due timer.
        static let timer: UInt8 = 2
        /// It stands in the line of its group, too.
        static let line: UInt8 = 4
    }

    var queue: UInt32
    var range: WaitingRange
    /// The number of the limits that its task needs; 0: it needs none, or is parked.
    var limits: UInt16
    var due: Timestamp
    var sequence: UInt64

    static func prefix(queue: UInt32, range: WaitingRange, limits: UInt16) -> KeyBytes {
        var key = KeyBytes()
        key.append(queue)
        key.append(UInt8(10 - range.priority))
        key.append(limits)
        key.append(range.lane.rawValue)
        return key
    }

    var bytes: KeyBytes {
        var key = Self.prefix(queue: queue, range: range, limits: limits)
        key.append(due)
        key.append(sequence)
        return key
    }

    init(queue: UInt32, range: WaitingRange, limits: UInt16, due: Timestamp, sequence: UInt64) {
        self.queue = queue
        self.range = range
        self.limits = range.lane == .parked ? 0 : limits
        self.due = due
        self.sequence = sequence
    }

    init(_ key: KeyBytes) {
        var reader = key.reader
        queue = reader.next()
        let inverse: UInt8 = reader.next()
        limits = reader.next()
        let lane = Lane(rawValue: reader.next()) ?? .fresh
        range = WaitingRange(priority: 10 - Int(inverse), lane: lane)
        due = reader.nextSigned()
        sequence = reader.next()
    }
}

/// Something that happens by itself at an instant.
///
///     at i64 │ kind u8 │ sequence u64 │ queue u32 │ hash u64 (of a UNIQUE key)
struct TimerKey {
    enum Kind: UInt8 {
        /// SCHEDULED becomes PENDING.
        case due = 1
        /// The time to live ends.
        case timeToLive = 2
        /// The record of an ended task goes that stands in no `KeptLine`.
        case retention = 3
        /// A UNIQUE key is free again.
        case unique = 4
        /// A queue's pause ends.
        case resume = 5
        /// An ended task past KEEPMAX or DLQMAX goes.
        case surplus = 6
        /// More tasks wait for the end of this one than are told at once; the hash is the one that was told last, the
        /// queue the state in which it ended.
        case dependents = 7
        /// The record of a batch that is over goes.
        case batch = 8
        /// More tasks of a batch are to be cancelled with it; the hash is the one that was cancelled last.
        case members = 9
        /// A plain key goes; the sequence is its hash, the queue its generation.
        case text = 10
        /// More waiting tasks of a queue are to be put into lines, or out of them.
        case lines = 11
        /// Plain keys were flushed and more of them are stored than go at once.
        case flushedTexts = 12
        /// The first task of a `KeptLine` goes; the sequence is the state in which its tasks ended, the hash the task
        /// from which on they are looked for.
        case keptLine = 13

        var hasHash: Bool { self == .unique || self == .dependents || self == .members || self == .keptLine }
        /// There may be very many tasks to change: so many of them at a time as `Engine.waveSlice` says.
        var isWave: Bool { self == .dependents || self == .members || self == .lines }
    }

    var at: Timestamp
    var kind: Kind
    var sequence: UInt64
    var queue: UInt32
    /// Of the UNIQUE key (the task's record may be gone by then), or a task: one that waits for this one, one of the
    /// batch, or one of the line.
    var hash: UInt64 = 0

    var bytes: KeyBytes {
        var key = KeyBytes()
        key.append(at)
        key.append(kind.rawValue)
        key.append(sequence)
        key.append(queue)
        if kind.hasHash { key.append(hash) }
        return key
    }

    init(at: Timestamp, kind: Kind, sequence: UInt64, queue: UInt32, hash: UInt64 = 0) {
        self.at = at
        self.kind = kind
        self.sequence = sequence
        self.queue = queue
        self.hash = hash
    }

    init?(_ key: KeyBytes) {
        var reader = key.reader
        at = reader.nextSigned()
        guard let kind = Kind(rawValue: reader.next()) else { return nil }
        self.kind = kind
        sequence = reader.next()
        queue = reader.next()
        if kind.hasHash { hash = reader.next() }
    }
}

/// An ended task among those of its queue and state, oldest first.
///
///     queue u32 │ state u8 │ ended at i64 │ sequence u64
///
/// The value, if there is one, is a byte of `Engine.EndedFlag`.
struct EndedKey {
    var queue: UInt32
    var state: TaskState
    var at: Timestamp
    var sequence: UInt64

    static func prefix(queue: UInt32, state: TaskState) -> KeyBytes {
        var key = KeyBytes()
        key.append(queue)
        key.append(state.rawValue)
        return key
    }

    var bytes: KeyBytes {
        var key = Self.prefix(queue: queue, state: state)
        key.append(at)
        key.append(sequence)
        return key
    }

    init(queue: UInt32, state: TaskState, at: Timestamp, sequence: UInt64) {
        self.queue = queue
        self.state = state
        self.at = at
        self.sequence = sequence
    }

    init?(_ key: KeyBytes) {
        var reader = key.reader
        queue = reader.next()
        guard let state = TaskState(rawValue: reader.next()) else { return nil }
        self.state = state
        at = reader.nextSigned()
        sequence = reader.next()
    }
}

extension WaitingKey {
    /// The timer that counts the task as PENDING when it is due.
    var dueTimer: TimerKey { TimerKey(at: due, kind: .due, sequence: sequence, queue: queue) }
}

/// The phase of a state record: the active ones lie together, so that a restart reads only them.
enum Phase: UInt8, CaseIterable {
    case active = 1
    case waiting = 2
    case ended = 3

    /// `phase u8 │ sequence u64`
    func key(_ sequence: UInt64) -> KeyBytes {
        var key = prefix
        key.append(sequence)
        return key
    }

    var prefix: KeyBytes {
        var key = KeyBytes()
        key.append(rawValue)
        return key
    }
}

/// Which large value of a task: `sequence u64 │ kind u8`.
enum BodyKind: UInt8 {
    case payload = 1
    case result = 2
    /// What the tasks of a cron entry carry; the sequence is the entry's number.
    case cron = 3

    func key(_ sequence: UInt64) -> KeyBytes {
        var key = taskKey(sequence)
        key.append(rawValue)
        return key
    }
}

/// `sequence u64`
func taskKey(_ sequence: UInt64) -> KeyBytes {
    var key = KeyBytes()
    key.append(sequence)
    return key
}

/// `sequence u64 │ number u32`
func historyKey(_ sequence: UInt64, _ number: UInt32) -> KeyBytes {
    var key = taskKey(sequence)
    key.append(number)
    return key
}

/// `sequence u64 │ number u64`
func logKey(_ sequence: UInt64, _ number: UInt64) -> KeyBytes {
    var key = taskKey(sequence)
    key.append(number)
    return key
}

/// `queue u32`; 0 is the broker's own record.
func queueKey(_ queue: UInt32) -> KeyBytes {
    var key = KeyBytes()
    key.append(queue)
    return key
}

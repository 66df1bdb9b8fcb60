import MartletProtocol
import MartletStorage

/// Whether a queue's waiting tasks stand in lines, one for each of their groups: what FAIR and GROUPCONCURRENCY need.
/// The raw value is stored.
enum Lining: UInt8 {
    case none = 0
    /// They are being put into lines, in slices; hand-outs go by the plain order.
    case filling = 1
    /// All of them stand in one: groups take turns.
    case full = 2
    /// They are being taken out of them.
    case clearing = 3

    /// Whether a task that comes to wait goes into a line, too.
    var takes: Bool { self == .filling || self == .full }

    var isUnderWay: Bool { self == .filling || self == .clearing }
}

/// In which order the groups of a queue stand in its rounds. The raw value is stored.
enum RoundOrder: UInt8 {
    /// They take turns (FAIR), each priority for itself.
    case turns = 0
    /// By their first tasks, each range for itself: the plain order of hand-out.
    case plain = 1
}

/// The groups of a queue that have waiting tasks and a slot, in the order of their turns.
///
///     queue u32 │ limits u16 (0: none) │ number u8 (FAIR: 10 − priority, both lanes; else 16 + the range's index)
struct Round: Equatable {
    var queue: UInt32
    /// The limits that its tasks need.
    var limits: UInt16
    var number: UInt8

    init(queue: UInt32, limits: UInt16, number: UInt8) {
        (self.queue, self.limits, self.number) = (queue, limits, number)
    }

    /// Of the beginning of a key.
    init(_ reader: inout KeyReader) {
        self.init(queue: reader.next(), limits: reader.next(), number: reader.next())
    }

    init(queue: UInt32, limits: UInt16, priority: Int) {
        self.init(queue: queue, limits: limits, number: UInt8(10 - priority))
    }

    init(queue: UInt32, limits: UInt16, range: WaitingRange) {
        self.init(queue: queue, limits: limits, number: UInt8(16 + range.index))
    }

    /// The lanes whose tasks have their turns here.
    var ranges: [WaitingRange] {
        guard number < 16 else { return [WaitingRange(index: Int(number) - 16)] }
        let priority = 10 - Int(number)
        return [WaitingRange(priority: priority, lane: .fresh), WaitingRange(priority: priority, lane: .retry)]
    }

    /// Where its turns begin.
    var prefix: KeyBytes {
        var key = queueKey(queue)
        key.append(limits)
        key.append(number)
        return key
    }

    /// Where a group's turn is stored: `round │ group u64`
    func key(_ group: UInt64) -> KeyBytes {
        var key = prefix
        key.append(group)
        return key
    }
}

/// A waiting task in the line of its group.
///
///     queue u32 │ limits u16 │ range u8 │ group u64 │ due i64 │ sequence u64
enum LineKey {
    /// The value: the task is due, and its group counts it.
    static let due: UInt8 = 1

    static func prefix(queue: UInt32, range: WaitingRange, limits: UInt16, group: UInt64) -> KeyBytes {
        var key = queueKey(queue)
        key.append(limits)
        key.append(UInt8(range.index))
        key.append(group)
        return key
    }

    static func bytes(_ key: WaitingKey, group: UInt64) -> KeyBytes {
        var bytes = prefix(queue: key.queue, range: key.range, limits: key.limits, group: group)
        bytes.append(key.due)
        bytes.append(key.sequence)
        return bytes
    }

    /// The place in the waiting index of the task that stands there, and its group.
    static func read(_ bytes: KeyBytes) -> (key: WaitingKey, group: UInt64) {
        var reader = bytes.reader
        let queue: UInt32 = reader.next()
        let limits: UInt16 = reader.next()
        let range = WaitingRange(index: Int(reader.next(UInt8.self)))
        let group: UInt64 = reader.next()
        let due = reader.nextSigned()
        let key = WaitingKey(queue: queue, range: range, limits: limits, due: due, sequence: reader.next())
        return (key, group)
    }

    /// The task of a group's lanes in a round that is due first.
    static func first<A>(
        _ group: UInt64, in round: Round, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> WaitingKey? {
        var first: WaitingKey?
        for range in round.ranges {
            let prefix = Self.prefix(queue: round.queue, range: range, limits: round.limits, group: group)
            guard let entry = try transaction.first(Tables.lines, from: prefix, prefix: prefix) else { continue }
            let found = read(entry.key).key
            if first.map({ Stamp(due: found) < Stamp(due: $0) }) ?? true { first = found }
        }
        return first
    }
}

/// A moment in the round: what came first has its turn first.
struct Stamp: Comparable {
    static let none = Stamp(at: .min, rank: 0)

    var at: Timestamp
    /// Among equals: a task's sequence; behind those, when a group was served, the token of its hand-out.
    var rank: UInt64

    init(at: Timestamp, rank: UInt64) { (self.at, self.rank) = (at, rank) }

    init(due key: WaitingKey) { (at, rank) = (key.due, key.sequence) }

    static func served(at: Timestamp, token: Int64) -> Stamp { Stamp(at: at, rank: 1 << 63 | UInt64(token)) }

    static func < (left: Stamp, right: Stamp) -> Bool { (left.at, left.rank) < (right.at, right.rank) }
}

/// When a group has its turn in a round; a group whose first task is not due yet stands behind now.
struct GroupTurn: Equatable {
    /// Its last hand-out; none since its line was empty.
    var served: Stamp
    /// Since when it waits for its turn: since its first task is due, or since it was served.
    var turn: Stamp
    /// How many of its tasks are due.
    var due: Int64

    init(served: Stamp, first: Stamp, due: Int64) {
        (self.served, turn, self.due) = (served, max(served, first), due)
    }

    /// Its place in the round: `round │ at i64 │ rank u64 │ group u64`
    func key(in round: Round, _ group: UInt64) -> KeyBytes {
        var key = round.prefix
        key.append(turn.at)
        key.append(turn.rank)
        key.append(group)
        return key
    }

    /// Of a place in the round: whose it is, and since when.
    static func readTurn(_ bytes: KeyBytes) -> (round: Round, at: Stamp, group: UInt64) {
        var reader = bytes.reader
        let round = Round(&reader)
        let at = Stamp(at: reader.nextSigned(), rank: reader.next())
        return (round, at, reader.next())
    }

    /// `served at i64 │ rank u64 │ turn at i64 │ rank u64 │ due i64`
    func write(to record: inout RecordWriter) {
        for stamp in [served, turn] {
            record.int64(stamp.at)
            record.uint64(stamp.rank)
        }
        record.int64(due)
    }

    init(from record: inout RecordReader) {
        served = Stamp(at: record.int64(), rank: record.uint64())
        turn = Stamp(at: record.int64(), rank: record.uint64())
        due = record.int64()
    }
}

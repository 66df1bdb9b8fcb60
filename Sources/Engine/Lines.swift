import MartletProtocol
import MartletStorage

/// Whether a queue's waiting tasks stand in lines, one for each of their groups: what FAIR needs. The raw value is
/// stored.
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

/// A waiting task in the line of its group.
///
///     queue u32 │ 10 − priority u8 │ group u64 │ lane u8 │ due i64 │ sequence u64
enum LineKey {
    static func prefix(queue: UInt32, range: WaitingRange, group: UInt64) -> KeyBytes {
        var key = GroupTurn.key(queue: queue, priority: range.priority, group: group)
        key.append(range.lane.rawValue)
        return key
    }

    static func bytes(_ key: WaitingKey, group: UInt64) -> KeyBytes {
        var bytes = prefix(queue: key.queue, range: key.range, group: group)
        bytes.append(key.due)
        bytes.append(key.sequence)
        return bytes
    }

    /// The place in the waiting index of the task that stands there, and its group.
    static func read(_ bytes: KeyBytes) -> (key: WaitingKey, group: UInt64) {
        var reader = bytes.reader
        let queue: UInt32 = reader.next()
        let inverse: UInt8 = reader.next()
        let group: UInt64 = reader.next()
        let lane = Lane(rawValue: reader.next()) ?? .fresh
        let range = WaitingRange(priority: 10 - Int(inverse), lane: lane)
        let due = reader.nextSigned()
        return (WaitingKey(queue: queue, range: range, due: due, sequence: reader.next()), group)
    }

    /// The task of a group's two lanes that is due first.
    static func first<A>(
        _ queue: UInt32, _ priority: Int, _ group: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> WaitingKey? {
        var first: WaitingKey?
        for lane in [Lane.fresh, .retry] {
            let range = WaitingRange(priority: priority, lane: lane)
            let prefix = Self.prefix(queue: queue, range: range, group: group)
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

/// When a group has its turn within a priority of its queue; a group whose first task is not due yet stands behind now.
struct GroupTurn: Equatable {
    /// Its last hand-out; none since its line was empty.
    var served: Stamp
    /// Since when it waits for its turn: since its first task is due, or since it was served.
    var turn: Stamp

    init(served: Stamp, first: Stamp) { (self.served, turn) = (served, max(served, first)) }

    /// Where it is stored: `queue u32 │ 10 − priority u8 │ group u64`
    static func key(queue: UInt32, priority: Int, group: UInt64) -> KeyBytes {
        var key = prefix(queue: queue, priority: priority)
        key.append(group)
        return key
    }

    /// Where a priority's turns begin.
    static func prefix(queue: UInt32, priority: Int) -> KeyBytes {
        var key = queueKey(queue)
        key.append(UInt8(10 - priority))
        return key
    }

    /// Its place in the round: `queue u32 │ 10 − priority u8 │ at i64 │ rank u64 │ group u64`
    func turnKey(queue: UInt32, priority: Int, group: UInt64) -> KeyBytes {
        var key = Self.prefix(queue: queue, priority: priority)
        key.append(turn.at)
        key.append(turn.rank)
        key.append(group)
        return key
    }

    /// Of a place in the round: whose it is, and since when.
    static func readTurn(_ bytes: KeyBytes) -> (queue: UInt32, priority: Int, at: Timestamp, group: UInt64) {
        var reader = bytes.reader
        let queue: UInt32 = reader.next()
        let inverse: UInt8 = reader.next()
        let at = reader.nextSigned()
        _ = reader.next(UInt64.self)
        return (queue, 10 - Int(inverse), at, reader.next())
    }

    /// `served at i64 │ rank u64 │ turn at i64 │ rank u64`
    func write(to record: inout RecordWriter) {
        for stamp in [served, turn] {
            record.int64(stamp.at)
            record.uint64(stamp.rank)
        }
    }

    init(from record: inout RecordReader) {
        served = Stamp(at: record.int64(), rank: record.uint64())
        turn = Stamp(at: record.int64(), rank: record.uint64())
    }
}

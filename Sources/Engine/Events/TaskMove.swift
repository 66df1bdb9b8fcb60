public import MartletProtocol
import MartletStorage

/// A task came into a state, and everything that is told of it.
public struct TaskMove: Hashable, Sendable {
    public var place: MovePlace
    public var id: TaskID
    public var queue: Bytes
    public var type: Bytes
    /// `nil`: it was added.
    public var from: TaskState?
    public var to: TaskState
}

/// A breaker came from one phase into another.
public struct BreakerMove: Hashable, Sendable {
    public var place: MovePlace
    public var name: Bytes
    public var from: BreakerPhase
    public var to: BreakerPhase
}

/// What is told.
public enum Event: Hashable, Sendable {
    case task(TaskMove)
    case breaker(BreakerMove)

    public var place: MovePlace {
        switch self {
        case .task(let move): move.place
        case .breaker(let move): move.place
        }
    }
}

/// Where a move stands among all moves: both numbers rise, over restarts too.
public struct MovePlace: Hashable, Comparable, Sendable {
    /// When the broker made the move, never before the one before.
    public var at: Timestamp
    /// Counts all moves that were told.
    public var number: UInt64

    /// Before all moves.
    public static let first = MovePlace(at: 0, number: 0)
    /// After all moves.
    public static let last = MovePlace(at: .max, number: .max)

    public init(at: Timestamp, number: UInt64) { (self.at, self.number) = (at, number) }

    public static func < (left: MovePlace, right: MovePlace) -> Bool {
        (left.at, left.number) < (right.at, right.number)
    }
}

/// The moves one group made, in one record.
struct MoveGroup {
    /// At most so many in one record: reading one move reads its record.
    static let most = 1_000

    struct Move {
        /// 0: it is a breaker's.
        var sequence: UInt64
        var type: UInt32
        /// Which of `names`.
        var name: UInt16
        var states: States
    }

    /// Whence and whither: of a task `TaskState`, of a breaker `BreakerPhase`. From 0: it was added.
    struct States {
        var from: UInt8
        var to: UInt8

        init(_ from: TaskState?, _ to: TaskState) { (self.from, self.to) = (from?.rawValue ?? 0, to.rawValue) }

        init(_ from: BreakerPhase, _ to: BreakerPhase) { (self.from, self.to) = (from.rawValue, to.rawValue) }

        init(packed: UInt8) { (from, to) = (packed >> 4, packed & 15) }

        var packed: UInt8 { from << 4 | to }

        func isLegal(ofBreaker: Bool) -> Bool {
            if ofBreaker { return BreakerPhase(rawValue: from) != nil && BreakerPhase(rawValue: to) != nil }
            return (from == 0 || TaskState(rawValue: from) != nil) && TaskState(rawValue: to) != nil
        }
    }

    /// Of the first move.
    var place: MovePlace
    /// Of queues and breakers: a queue's number may be another's by the time it is read.
    var names: [Bytes] = []
    var moves: [Move] = []

    /// `at i64 │ number u64`
    static func key(_ place: MovePlace) -> KeyBytes {
        var key = KeyBytes()
        key.append(place.at)
        key.append(place.number)
        return key
    }

    var key: KeyBytes { Self.key(place) }

    /// Of the last move.
    var lastPlace: MovePlace {
        MovePlace(at: place.at, number: place.number + UInt64(max(1, moves.count)) - 1)
    }

    init(_ place: MovePlace) { self.place = place }

    /// `n u32 │ names u16 │ names × name │ n × (sequence u64, type u32, name u16, from and to u8)`
    func write(to record: inout RecordWriter) {
        record.uint32(UInt32(moves.count))
        record.uint16(UInt16(names.count))
        for name in names { record.bytes(name) }
        for move in moves {
            record.uint64(move.sequence)
            record.uint32(move.type)
            record.uint16(move.name)
            record.uint8(move.states.packed)
        }
    }

    init(_ key: KeyBytes, from record: inout RecordReader) {
        var reader = key.reader
        place = MovePlace(at: reader.nextSigned(), number: reader.next())
        let count = Int(record.uint32())
        for _ in 0..<record.uint16() where record.left > 0 { names.append(record.bytes()) }
        guard count * 15 <= record.left else {
            record.fail()
            return
        }
        for _ in 0..<count {
            let (sequence, type, name) = (record.uint64(), record.uint32(), record.uint16())
            let states = States(packed: record.uint8())
            guard states.isLegal(ofBreaker: sequence == 0), name < names.count else {
                record.fail()
                return
            }
            moves.append(Move(sequence: sequence, type: type, name: name, states: states))
        }
    }

    /// How many moves a record holds.
    static func count(in record: inout RecordReader) -> Int64 { Int64(record.uint32()) }
}

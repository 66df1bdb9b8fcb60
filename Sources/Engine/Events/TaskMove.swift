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
        var sequence: UInt64
        var type: UInt32
        /// Which of `queues`.
        var queue: UInt16
        var from: TaskState?
        var to: TaskState
    }

    /// Of the first move.
    var place: MovePlace
    /// The names: a queue's number may be another's by the time it is read.
    var queues: [Bytes] = []
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

    /// `n u32 │ queues u16 │ queues × name │ n × (sequence u64, type u32, queue u16, from and to u8)`
    func write(to record: inout RecordWriter) {
        record.uint32(UInt32(moves.count))
        record.uint16(UInt16(queues.count))
        for name in queues { record.bytes(name) }
        for move in moves {
            record.uint64(move.sequence)
            record.uint32(move.type)
            record.uint16(move.queue)
            record.uint8((move.from?.rawValue ?? 0) << 4 | move.to.rawValue)
        }
    }

    init(_ key: KeyBytes, from record: inout RecordReader) {
        var reader = key.reader
        place = MovePlace(at: reader.nextSigned(), number: reader.next())
        let count = Int(record.uint32())
        for _ in 0..<record.uint16() where record.left > 0 { queues.append(record.bytes()) }
        guard count * 15 <= record.left else {
            record.fail()
            return
        }
        for _ in 0..<count {
            let (sequence, type, queue, states) = (record.uint64(), record.uint32(), record.uint16(), record.uint8())
            guard let to = TaskState(rawValue: states & 15), queue < queues.count else {
                record.fail()
                return
            }
            let from = TaskState(rawValue: states >> 4)
            moves.append(Move(sequence: sequence, type: type, queue: queue, from: from, to: to))
        }
    }

    /// How many moves a record holds.
    static func count(in record: inout RecordReader) -> Int64 { Int64(record.uint32()) }
}

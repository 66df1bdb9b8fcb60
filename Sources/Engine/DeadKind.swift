public import MartletProtocol
import MartletStorage

/// What DLQ.LIST BY KIND tells of one kind of error.
public struct DeadKind: Hashable, Sendable {
    /// `nil`: those that failed without one.
    public var kind: Bytes?
    /// Dead tasks of it, now.
    public var count: Int64
    /// When the newest of them died, and what it said.
    public var newestAt: Timestamp
    public var message: Bytes?
}

/// Stored under `queue u32 │ hash of the kind u64`, kept with every group in which dead tasks came or went.
///
///     has kind u8 │ kind │ count i64 │ newest at i64 │ has message u8 │ message
extension DeadKind {
    /// Bytes of the message that are told.
    static let messageLimit = 1_024

    static func prefix(queue: UInt32) -> KeyBytes { queueKey(queue) }

    func write(to record: inout RecordWriter) {
        record.uint8(kind == nil ? 0 : 1)
        record.bytes(kind ?? [])
        record.int64(count)
        record.int64(newestAt)
        record.uint8(message == nil ? 0 : 1)
        record.bytes(message ?? [])
    }

    init(from record: inout RecordReader) {
        let hasKind = record.uint8() == 1
        let name = record.bytes()
        kind = hasKind ? name : nil
        count = record.int64()
        newestAt = record.int64()
        let hasMessage = record.uint8() == 1
        let text = record.bytes()
        message = hasMessage ? text : nil
    }
}

/// Where dead tasks of a kind of error are counted. The hash is keyed by the directory's secret: nobody outside can
/// make two kinds meet.
struct KindPlace: Hashable {
    let queue: UInt32
    let hash: UInt64

    /// The first at or after `hash`.
    init(queue: UInt32, from hash: UInt64) { (self.queue, self.hash) = (queue, hash) }

    init(of kind: Bytes?, in queue: UInt32, secret: UInt64) {
        (self.queue, hash) = (queue, kind.map { StableHash.hash($0, seed: secret) } ?? 0)
    }

    init(_ key: KeyBytes) {
        var reader = key.reader
        (queue, hash) = (reader.next(), reader.next())
    }

    var key: KeyBytes {
        var key = DeadKind.prefix(queue: queue)
        key.append(hash)
        return key
    }
}

extension Engine {
    /// A task died, or is dead no more. `state` is its record. How many there are is stored when the group closes, once
    /// for all of it; that there are any at all, at once.
    mutating func countKind(
        of state: StateRecord, _ change: Int64, at: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let place = KindPlace(of: state.errorKind, in: state.queue, secret: broker.secret)
        let before = try deadKind(place, transaction)
        var kind = before ?? DeadKind(kind: state.errorKind, count: 0, newestAt: 0, message: nil)
        kind.count += change
        if change > 0, at >= kind.newestAt || kind.count == 1 {
            kind.newestAt = at
            kind.message = state.lastError.map { Self.cut($0, DeadKind.messageLimit) }
        }
        let counted = kind
        if counted.count <= 0 {
            undoLog.kinds[place] = nil
            try transaction.delete(Tables.kinds, place.key)
        } else if before == nil {
            try transaction.put(Tables.kinds, place.key) { counted.write(to: &$0) }
        } else {
            undoLog.kinds[place] = counted
        }
    }

    /// What is counted there, as it is in the open group.
    private func deadKind<A>(
        _ place: KindPlace, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> DeadKind? {
        if let open = undoLog.kinds[place] { return open }
        return try transaction.read(Tables.kinds, place.key) { DeadKind(from: &$0) }
    }
}

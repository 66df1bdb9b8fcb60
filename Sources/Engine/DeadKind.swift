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

/// Stored under `queue u32 │ hash of the kind u64`, kept with every dead task that comes or goes.
///
///     has kind u8 │ kind │ count i64 │ newest at i64 │ has message u8 │ message
extension DeadKind {
    /// Bytes of the message that are told.
    static let messageLimit = 1_024

    static func prefix(queue: UInt32) -> KeyBytes { queueKey(queue) }

    static func key(queue: UInt32, hash: UInt64) -> KeyBytes {
        var key = prefix(queue: queue)
        key.append(hash)
        return key
    }

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

extension Engine {
    /// A task died, or is dead no more. `state` is its record.
    func countKind(
        of state: StateRecord, _ change: Int64, at: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var (key, kind) = try findKind(state.errorKind, state.queue, transaction)
        kind.count += change
        if change > 0, at >= kind.newestAt || kind.count == 1 {
            kind.newestAt = at
            kind.message = state.lastError.map { Self.cut($0, DeadKind.messageLimit) }
        }
        let counted = kind
        if counted.count > 0 {
            try transaction.put(Tables.kinds, key) { counted.write(to: &$0) }
        } else {
            try transaction.delete(Tables.kinds, key)
        }
    }

    /// Where a kind is counted, and what is counted. The hash is keyed by the directory's secret: nobody outside can
    /// make two kinds meet.
    private func findKind<A>(
        _ kind: Bytes?, _ queue: UInt32, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> (KeyBytes, DeadKind) {
        let hash = kind.map { StableHash.hash($0, seed: broker.secret) } ?? 0
        let key = DeadKind.key(queue: queue, hash: hash)
        let found = try transaction.read(Tables.kinds, key) { DeadKind(from: &$0) }
        return (key, found ?? DeadKind(kind: kind, count: 0, newestAt: 0, message: nil))
    }
}

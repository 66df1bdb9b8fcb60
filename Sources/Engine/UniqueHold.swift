import MartletProtocol
import MartletStorage

/// A UNIQUE key and the task that holds it.
struct UniqueHold {
    var key: Bytes
    var sequence: UInt64
    /// When it is free again at the latest; `nil`: only what happens to the task frees it.
    var until: Timestamp?
    /// It is held although the task's record may be gone.
    var outlives: Bool
}

/// All holds whose keys have the same hash in a queue: nearly always one.
///
///     n u32 │ n × (sequence u64 │ until i64, 0: none │ outlives u8 │ key behind its length)
struct UniqueBucket {
    var holds: [UniqueHold] = []

    init() {}

    func write(to record: inout RecordWriter) {
        record.uint32(UInt32(holds.count))
        for hold in holds {
            record.uint64(hold.sequence)
            record.int64(hold.until ?? 0)
            record.uint8(hold.outlives ? 1 : 0)
            record.bytes(hold.key)
        }
    }

    init(from record: inout RecordReader) {
        for _ in 0..<record.uint32() where record.left > 0 {
            let sequence = record.uint64()
            let until = record.int64()
            let outlives = record.uint8() == 1
            holds.append(
                UniqueHold(key: record.bytes(), sequence: sequence, until: until == 0 ? nil : until, outlives: outlives)
            )
        }
    }

    /// Where the holds of a key lie: `queue u32 │ hash u64`.
    static func key(_ queue: UInt32, _ hash: UInt64) -> KeyBytes {
        var key = KeyBytes()
        key.append(queue)
        key.append(hash)
        return key
    }
}

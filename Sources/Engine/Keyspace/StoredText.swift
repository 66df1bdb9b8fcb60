import MartletProtocol
import MartletStorage

/// A plain key and what it holds.
struct StoredText {
    var key: Bytes
    var value: Bytes
    /// When it goes by itself; `nil`: it stays.
    var until: Timestamp?

    func isThere(_ now: Timestamp) -> Bool { until.map { $0 > now } ?? true }
}

/// All keys of one hash: nearly always one.
///
///     n u32 │ n × (until i64, 0: none │ key behind its length │ value behind its length)
struct TextBucket {
    var texts: [StoredText] = []

    init() {}

    func write(to record: inout RecordWriter) {
        record.uint32(UInt32(texts.count))
        for text in texts {
            record.int64(text.until ?? 0)
            record.bytes(text.key)
            record.bytes(text.value)
        }
    }

    init(from record: inout RecordReader) {
        for _ in 0..<record.uint32() where record.left > 0 {
            let until = record.int64()
            texts.append(StoredText(key: record.bytes(), value: record.bytes(), until: until == 0 ? nil : until))
        }
    }
}

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

/// Where the keys of one hash are stored: what was flushed is of an earlier generation.
///
///     generation u32 │ hash u64
struct TextKey {
    var generation: UInt32
    var hash: UInt64

    init(generation: UInt32, hash: UInt64) { (self.generation, self.hash) = (generation, hash) }

    init(_ key: KeyBytes) {
        var reader = key.reader
        generation = reader.next()
        hash = reader.next()
    }

    /// Where that is stored which ends with a timer.
    init(_ timer: TimerKey) { self.init(generation: timer.queue, hash: timer.sequence) }

    static func prefix(generation: UInt32) -> KeyBytes {
        var key = KeyBytes()
        key.append(generation)
        return key
    }

    var bytes: KeyBytes {
        var key = Self.prefix(generation: generation)
        key.append(hash)
        return key
    }

    func timer(at: Timestamp) -> TimerKey { TimerKey(at: at, kind: .text, sequence: hash, queue: generation) }
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

    /// When any of them ends, without what they hold.
    static func ends(from record: inout RecordReader) -> Set<Timestamp> {
        var ends: Set<Timestamp> = []
        for _ in 0..<record.uint32() where record.left > 0 {
            let until = record.int64()
            if until != 0 { ends.insert(until) }
            _ = (record.skipBytes(), record.skipBytes())
        }
        return ends
    }

    /// Those of the keys that are there, without what they hold.
    static func keys(from record: inout RecordReader, at now: Timestamp) -> [Bytes] {
        var keys: [Bytes] = []
        for _ in 0..<record.uint32() where record.left > 0 {
            let until = record.int64()
            let key = record.bytes()
            if until == 0 || until > now { keys.append(key) }
            _ = record.skipBytes()
        }
        return keys
    }
}

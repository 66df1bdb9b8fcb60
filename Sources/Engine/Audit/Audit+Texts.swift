import MartletProtocol
import MartletStorage

/// Plain keys: each that ends has its timer.
extension Audit {
    mutating func walkTexts<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.texts, transaction, decode: { TextBucket(from: &$1).texts.compactMap(\.until) },
            damaged: { audit, key in
                audit.report(.damagedRecord, "a plain key", .quarantine(Tables.texts, key))
            },
            { (audit, key, ends) throws(StorageError) in
                var reader = key.reader
                let hash: UInt64 = reader.next()
                for end in Set(ends).sorted() {
                    try audit.expect(TimerKey(at: end, kind: .text, sequence: hash, queue: 0), transaction)
                }
            })
    }
}

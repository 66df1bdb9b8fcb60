import MartletProtocol
import MartletStorage

/// Plain keys: each that ends has its timer.
extension Audit {
    mutating func walkTexts<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.texts, transaction, decode: { TextBucket.ends(from: &$1) },
            damaged: { audit, key in
                audit.report(.damagedRecord, "a plain key", .quarantine(Tables.texts, key))
            },
            { (audit, bytes, ends) throws(StorageError) in
                let key = TextKey(bytes)
                if let broker = audit.broker, key.generation != broker.textGeneration { audit.flushedTexts += 1 }
                for end in ends.sorted() { try audit.expect(key.timer(at: end), transaction) }
            })
    }
}

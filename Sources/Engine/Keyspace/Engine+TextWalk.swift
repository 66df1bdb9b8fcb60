public import MartletProtocol
public import MartletStorage

/// All plain keys: walked page by page, and flushed.
extension Engine {
    /// Records of flushed keys that go with a timer: few, because many timers may fire in a group.
    private static let flushedByTimer = 4

    /// Some plain keys.
    public struct TextPage: Sendable {
        public var keys: [Bytes] = []
        /// Where to go on; `nil`: those were the last.
        public var next: UInt64?
    }

    /// The plain keys from `place` on, in an order that only the broker knows.
    ///
    /// A key that is there during a whole walk is found by it, whatever else comes and goes.
    /// - Parameters:
    ///   - place: 0, or what the page before says.
    ///   - limit: how many records are read at most, and at least one.
    ///   - bytes: after so many bytes of records the page ends.
    public func texts<A>(
        from place: UInt64, limit: Int, bytes: Int, now: Timestamp, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> TextPage {
        let from = TextKey(generation: broker.textGeneration, hash: place).bytes
        var page = TextPage()
        var (count, size) = (0, 0)
        try transaction.scanRecords(
            Tables.texts, from: from, prefix: TextKey.prefix(generation: broker.textGeneration)
        ) { key, record in
            guard count == 0 || count < limit && size < bytes else {
                page.next = TextKey(key).hash
                return false
            }
            (count, size) = (count + 1, size + record.left)
            page.keys += TextBucket.keys(from: &record, at: now)
            return true
        }
        return page
    }

    /// All plain keys are gone at once; what is stored of them goes in slices.
    mutating func flushTexts(
        _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        guard try textCount(in: transaction) > 0 else { return .ok }
        broker.textGeneration &+= 1
        broker.flushedTexts = Int64(try transaction.count(Tables.texts))
        try setTimer(now, .flushedTexts, 0, 0, transaction)
        return .ok
    }

    /// Some of the records of flushed keys go; what is due elsewhere comes before the rest.
    mutating func removeFlushedTexts(
        _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var found: [(key: KeyBytes, ends: Set<Timestamp>)] = []
        let current = broker.textGeneration
        try transaction.scanRecords(
            Tables.texts, from: KeyBytes(), prefix: KeyBytes(), damaged: { found.append(($0, [])) }
        ) { key, record in
            guard found.count < Self.flushedByTimer, TextKey(key).generation != current else { return false }
            found.append((key, TextBucket.ends(from: &record)))
            return true
        }
        for (bytes, ends) in found where TextKey(bytes).generation != current {
            try transaction.delete(Tables.texts, bytes)
            for end in ends { try transaction.delete(Tables.timers, TextKey(bytes).timer(at: end).bytes) }
            broker.flushedTexts -= 1
        }
        guard !found.isEmpty, broker.flushedTexts > 0 else { return broker.flushedTexts = 0 }
        try setTimer(now, .flushedTexts, 0, 0, transaction)
    }
}

public import MartletProtocol
public import MartletStorage

/// Plain keys of database 0, durable as everything else.
extension Engine {
    /// What a key holds, and when it goes (`nil`: it stays).
    public struct Text: Hashable, Sendable {
        public var value: Bytes
        public var until: Timestamp?
    }

    /// What a key holds now; `nil`: there is no such key.
    public func text<A>(
        _ key: Bytes, now: Timestamp, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Text? {
        let found = try bucket(textKey(key), transaction).texts.first { $0.key == key }
        return found.flatMap { $0.isThere(now) ? Text(value: $0.value, until: $0.until) : nil }
    }

    /// How many plain keys there are; those whose end the bookkeeping has not seen count.
    public func textCount<A>(in transaction: borrowing Transaction<A>) throws(StorageError) -> Int {
        max(0, try transaction.count(Tables.texts) - Int(clamping: broker.flushedTexts))
    }

    mutating func setText(
        _ request: SetTextRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        let before = try text(request.key, now: now, in: transaction)
        let holds: Bool =
            switch request.condition {
            case .always: true
            case .ifAbsent: before == nil
            case .ifPresent: before != nil
            case .ifEqual(let value): before?.value == value
            }
        if holds {
            let until = request.life.end(now, before: before?.until)
            let text = StoredText(key: request.key, value: request.value, until: until)
            try replace(request.key, with: text.isThere(now) ? text : nil, transaction)
        }
        if request.givesOld { return .bytes(before?.value) }
        return holds ? .ok : .bytes(nil)
    }

    mutating func deleteTexts(
        _ keys: [Bytes], _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        var count: Int64 = 0
        for key in keys where try text(key, now: now, in: transaction) != nil {
            try replace(key, with: nil, transaction)
            count += 1
        }
        return .count(count)
    }

    mutating func expireText(
        _ request: ExpireRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        guard let text = try text(request.key, now: now, in: transaction) else { return .count(0) }
        let until = request.life.end(now, before: text.until)
        // PERSIST tells whether there was an end.
        if until == nil, text.until == nil { return .count(0) }
        let (old, new) = (text.until ?? .max, until ?? .max)
        let holds: Bool =
            switch request.condition {
            case .always: true
            case .ifNone: text.until == nil
            case .ifSome: text.until != nil
            case .ifLater: new > old
            case .ifEarlier: new < old
            }
        guard holds else { return .count(0) }
        let changed = StoredText(key: request.key, value: text.value, until: until)
        try replace(request.key, with: changed.isThere(now) ? changed : nil, transaction)
        return .count(1)
    }

    /// The end of a key came.
    mutating func endTexts(
        _ timer: TimerKey, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let key = TextKey(timer)
        guard key.generation == broker.textGeneration else { return }
        for text in try bucket(key, transaction).texts where !text.isThere(timer.at) {
            try replace(text.key, with: nil, transaction)
        }
    }

    /// Stores what a key holds from now on, with its timer; `nil`: the key goes.
    private mutating func replace(
        _ key: Bytes, with text: StoredText?, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let place = textKey(key)
        var bucket = try bucket(place, transaction)
        if let index = bucket.texts.firstIndex(where: { $0.key == key }) {
            let old = bucket.texts.remove(at: index)
            let isShared = bucket.texts.contains { $0.until == old.until }
            if let until = old.until, !isShared {
                try transaction.delete(Tables.timers, place.timer(at: until).bytes)
            }
        }
        if let text {
            bucket.texts.append(text)
            try setTimer(text.until, .text, place.hash, place.generation, transaction)
        }
        guard !bucket.texts.isEmpty else {
            try transaction.delete(Tables.texts, place.bytes)
            return
        }
        let stored = bucket
        try transaction.put(Tables.texts, place.bytes) { stored.write(to: &$0) }
    }

    private func bucket<A>(
        _ key: TextKey, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> TextBucket {
        try transaction.read(Tables.texts, key.bytes) { TextBucket(from: &$0) } ?? TextBucket()
    }

    /// Nobody outside can choose keys that share a bucket.
    private func textKey(_ key: Bytes) -> TextKey {
        let hash = StableHash.hash(key, seed: broker.secret ^ 0x7465_7874)
        return TextKey(generation: broker.textGeneration, hash: hash)
    }
}

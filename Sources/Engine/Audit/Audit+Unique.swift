import MartletProtocol
import MartletStorage

/// UNIQUE keys: whoever holds one is there and may hold it; whoever must hold one does.
extension Audit {
    mutating func walkUnique<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.unique, transaction, decode: { UniqueBucket(from: &$1) },
            damaged: { audit, key in
                audit.report(.damagedRecord, "holds of UNIQUE keys", .quarantine(Tables.unique, key))
            },
            { (audit, key, bucket) throws(StorageError) in
                var reader = key.reader
                let queue: UInt32 = reader.next()
                let hash: UInt64 = reader.next()
                for hold in bucket.holds { try audit.check(hold, queue, hash, bucket, transaction) }
            })
    }

    private mutating func check<A>(
        _ hold: UniqueHold, _ queue: UInt32, _ hash: UInt64, _ bucket: UniqueBucket,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        let known = try known(hold.sequence, transaction)
        if known == nil, try exists(hold.sequence, transaction) { return }
        let isOwn = known?.task.unique?.key == hold.key && known?.task.queue == queue
        let isOver = known?.task.unique?.until == .done && known?.ended != nil
        guard isOwn || hold.outlives && known == nil, !isOver else {
            var rest = bucket
            rest.holds.removeAll { $0.sequence == hold.sequence }
            return report(
                .uniqueDangling, "key held by \(name(hold.sequence))", .unique(queue, hash, rest))
        }
        if let at = hold.until {
            try expect(
                TimerKey(at: at, kind: .unique, sequence: hold.sequence, queue: queue, hash: hash), transaction)
        }
    }

    /// A key that only an end frees is held until then, by somebody.
    mutating func check<A>(
        uniqueKeyOf known: Known, _ sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        guard let unique = known.task.unique, unique.until == .done, unique.span == nil, known.ended == nil,
            let hash = broker.map({ StableHash.hash(unique.key, seed: $0.secret) }),
            var bucket = try bucket(known.task.queue, hash, transaction)
        else { return }
        guard !bucket.holds.contains(where: { $0.key == unique.key }) else { return }
        bucket.holds.append(UniqueHold(key: unique.key, sequence: sequence, until: nil, outlives: false))
        report(.uniqueMissing, "key of task \(name(sequence))", .unique(known.task.queue, hash, bucket))
    }

    /// Whether a hold ends at this timer.
    func isNeeded<A>(
        unique timer: TimerKey, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool {
        // Of a damaged record nothing can be said.
        guard let bucket = try bucket(timer.queue, timer.hash, transaction) else { return true }
        return bucket.holds.contains { $0.sequence == timer.sequence && $0.until == timer.at }
    }

    /// `nil`: it is damaged.
    private func bucket<A>(
        _ queue: UInt32, _ hash: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> UniqueBucket? {
        try whole(of: nil) { () throws(StorageError) in
            try transaction.read(Tables.unique, UniqueBucket.key(queue, hash)) { UniqueBucket(from: &$0) }
                ?? UniqueBucket()
        }
    }
}

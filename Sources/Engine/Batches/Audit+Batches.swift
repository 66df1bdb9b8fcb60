import MartletProtocol
import MartletStorage

/// Batches: each counts its tasks, knows those that have not ended, and is remembered as long as it should be.
extension Audit {
    mutating func walkBatches<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        var members: [UInt64: Int64] = [:]
        try entries(Tables.members, transaction) { (audit, bytes, _) throws(StorageError) in
            var reader = bytes.reader
            let (batch, sequence): (UInt64, UInt64) = (reader.next(), reader.next())
            guard try audit.belongs(sequence, to: batch, transaction) else {
                return audit.report(
                    .memberDangling, "\(audit.name(sequence)) in batch \(audit.name(batch))",
                    .delete(Tables.members, bytes))
            }
            members[batch, default: 0] += 1
        }
        let pending = members
        try records(
            Tables.batches, transaction, decode: { BatchRecord(from: &$1) },
            damaged: { audit, key in audit.report(.damagedRecord, "a batch", .quarantine(Tables.batches, key)) },
            { (audit, key, batch) throws(StorageError) in
                var reader = key.reader
                let number: UInt64 = reader.next()
                audit.highest.sequence = max(audit.highest.sequence, number)
                try audit.check(batch, number, pending: pending[number] ?? 0, transaction)
            })
        try records(
            Tables.followers, transaction, decode: { _ = BatchFollower.list(from: &$1) },
            damaged: { audit, key in
                audit.report(.damagedRecord, "what follows a batch", .quarantine(Tables.followers, key))
            },
            { (audit, key, _) throws(StorageError) in
                guard try !transaction.contains(Tables.batches, key) else { return }
                var reader = key.reader
                audit.report(
                    .memberDangling, "what follows batch \(audit.name(reader.next()))", .delete(Tables.followers, key))
            })
    }

    /// Whether an entry among the members is right: its task has not ended and names the batch. Of damaged records
    /// nothing can be said.
    private func belongs<A>(
        _ sequence: UInt64, to batch: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool {
        guard try transaction.contains(Tables.batches, taskKey(batch)) else { return false }
        guard let known = try known(sequence, transaction) else { return try exists(sequence, transaction) }
        return known.ended == nil && known.task.batch == batch
    }

    private mutating func check<A>(
        _ batch: BatchRecord, _ number: UInt64, pending: Int64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        if batch.pending != pending {
            var right = batch
            right.total = batch.completed + batch.failed + pending
            report(
                .batchWrong, "batch \(name(number)) waits for \(batch.pending), not \(pending)", .batch(number, right))
        } else if let over = batch.over {
            let timer = Engine.retention(of: number, over: over)
            guard pending > 0 || !batch.isSealed else { return try expect(timer, transaction) }
            var right = batch
            right.over = nil
            report(.batchWrong, "batch \(name(number)) is over too early", .batch(number, right))
        } else if batch.isSealed, pending == 0 {
            // Looking after it at once lets it end.
            let timer = TimerKey(at: now, kind: .members, sequence: number, queue: 0)
            guard try !transaction.contains(Tables.timers, timer.bytes) else { return }
            report(
                .batchWrong, "batch \(name(number)) did not end", .entry(Tables.timers, timer.bytes, flags: 0))
        }
    }

    /// A task that has not ended is known to its batch.
    mutating func check<A>(
        batchOf known: Known, _ sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        guard let batch = known.task.batch, known.ended == nil else { return }
        let key = memberKey(batch, sequence)
        guard try transaction.contains(Tables.batches, taskKey(batch)), try !transaction.contains(Tables.members, key)
        else { return }
        report(.memberMissing, "task \(name(sequence))", .entry(Tables.members, key, flags: 0))
    }

    /// Whether a timer of a batch has anything to do.
    func isNeeded<A>(batch timer: TimerKey, _ transaction: borrowing Transaction<A>) throws(StorageError) -> Bool {
        let key = taskKey(timer.sequence)
        guard try transaction.contains(Tables.batches, key) else { return false }
        guard timer.kind == .batch else { return true }
        let batch = try whole(of: nil) { () throws(StorageError) in
            try transaction.read(Tables.batches, key) { BatchRecord(from: &$0) }
        }
        // Of a damaged record nothing can be said; it is reported where it is met.
        return batch.map { $0.over.map { $0 + Limits.batchKeep } == timer.at } ?? true
    }
}

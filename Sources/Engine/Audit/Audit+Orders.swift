import MartletProtocol
import MartletStorage

/// ORDER keys: a task stands in the order of its key until its life is over.
extension Audit {
    private func place(of task: TaskRecord) -> OrderPlace? {
        guard let order = task.order, let secret = broker?.secret else { return nil }
        return OrderPlace(queue: task.queue, hash: StableHash.hash(order, seed: secret))
    }

    mutating func check<A>(
        orderOf known: Known, _ sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        guard known.ended == nil, let key = place(of: known.task)?.key(sequence),
            try !transaction.contains(Tables.orders, key)
        else { return }
        report(.orderMissing, "task \(name(sequence))", .entry(Tables.orders, key, flags: 0))
    }

    mutating func walkOrders<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        guard broker != nil else { return }
        try entries(Tables.orders, transaction) { (audit, bytes, _) throws(StorageError) in
            let sequence = OrderPlace.read(bytes).sequence
            let known = try audit.known(sequence, transaction)
            // Of a damaged record nothing can be said; it is reported where it is met.
            if known == nil, try audit.exists(sequence, transaction) { return }
            guard let known, known.ended == nil, audit.place(of: known.task)?.key(sequence) == bytes else {
                return audit.report(.orderDangling, "task \(audit.name(sequence))", .delete(Tables.orders, bytes))
            }
        }
    }
}

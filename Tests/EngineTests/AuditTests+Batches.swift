import MartletEngine
import MartletProtocol
import MartletStorage

extension PlantedStore {
    /// A sealed batch with a task, and one that follows it.
    static func addBatch(_ fixture: StoreFixture) throws {
        var request = AddRequest(queue: Bytes("q".utf8), type: Bytes("t".utf8), payload: [1])
        let follower = BatchFollower(on: .complete, queue: request.queue, type: request.type, payload: [1])
        let new = BatchNewRequest(followers: [follower])
        guard case .id(let batch) = try fixture.run(.batchNew(new))[0] else { throw StoreFixture.Unexpected() }
        request.batch = batch.text
        try fixture.run(.add(request))
        try fixture.run(.batch(BatchRequest(batch: batch.text, action: .seal)))
    }
}

/// Ways in which a batch and its tasks can come to disagree.
extension Plant {
    private typealias Store = PlantedStore

    private static func first(
        _ name: String, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> KeyBytes {
        let first = try transaction.first(Store.table(name), from: KeyBytes(), prefix: KeyBytes())
        guard let first else { throw StorageError(.failed, "the test finds nothing in \(name)") }
        return first.key
    }

    static let batches = [
        Plant(.memberMissing, "its entry is gone") { (transaction, store) throws(StorageError) in
            try transaction.delete(Store.table("members"), try first("members", transaction))
        },
        Plant(.memberDangling, "a task of no batch") { (transaction, store) throws(StorageError) in
            var reader = try first("members", transaction).reader
            var key = Store.key(reader.next())
            key.append(store.pending)
            try transaction.put(Store.table("members"), key, flags: 0)
        },
        Plant(.memberDangling, "what follows a batch that is gone") { (transaction, store) throws(StorageError) in
            try transaction.delete(Store.table("batches"), try first("batches", transaction))
        },
        Plant(.batchWrong, "one task too many") { (transaction, store) throws(StorageError) in
            try Store.rewrite("batches", try first("batches", transaction), transaction) { $0[1] += 1 }
        },
        Plant(.batchWrong, "over although a task has not ended") { (transaction, store) throws(StorageError) in
            try Store.rewrite("batches", try first("batches", transaction), transaction) { bytes in
                for index in 25..<33 { bytes[index] = 0 }
            }
        },
        Plant(.batchWrong, "not over although all tasks have ended") { (transaction, store) throws(StorageError) in
            // Nobody is left to end it.
            try transaction.delete(Store.table("members"), try first("members", transaction))
            try Store.rewrite("batches", try first("batches", transaction), transaction) { $0[1] = 0 }
        },
        Plant(.damagedRecord, "a batch") { (transaction, store) throws(StorageError) in
            try transaction.put(Store.table("batches"), try first("batches", transaction), flags: 9)
        },
    ]
}

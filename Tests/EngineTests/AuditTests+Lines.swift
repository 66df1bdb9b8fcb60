import MartletEngine
import MartletProtocol
import MartletStorage

extension PlantedStore {
    /// A task in a FAIR queue.
    static func addGroup(_ fixture: StoreFixture) throws {
        var fair = QueueOptions()
        fair.fair = true
        try fixture.run(.queueSet(QueueSetRequest(queue: Bytes("fair".utf8), given: [.fair], options: fair)))
        _ = try fixture.add("fair") { $0.group = Bytes("g".utf8) }
    }

    /// The only key of a table.
    static func only(_ name: String, _ transaction: borrowing Transaction<Writing>) throws(StorageError) -> KeyBytes {
        try transaction.first(table(name), from: KeyBytes(), prefix: KeyBytes())?.key ?? KeyBytes()
    }
}

extension Plant {
    private typealias Store = PlantedStore

    /// The orders of ORDER keys and the lines of FAIR queues.
    static let lines = [
        Plant(.orderMissing, "it waits for nobody") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            let first = try transaction.first(Store.table("orders"), from: all, prefix: all)
            guard let key = first?.key else { return }
            try transaction.delete(Store.table("orders"), key)
        },
        Plant(.orderDangling, "of a task without a key") { (transaction, store) throws(StorageError) in
            var key = KeyBytes()
            key.append(UInt32(1))
            key.append(UInt64(7))
            key.append(store.pending)
            try transaction.put(Store.table("orders"), key, flags: 0)
        },
        Plant(.lineMissing, "a task in no line") { (transaction, store) throws(StorageError) in
            try transaction.delete(Store.table("lines"), try Store.only("lines", transaction))
        },
        Plant(.lineMissing, "a task that its line does not count as due") { (transaction, store) throws(StorageError) in
            try transaction.put(Store.table("lines"), try Store.only("lines", transaction), flags: 0)
        },
        Plant(.lineDangling, "of a task that waits elsewhere") { (transaction, store) throws(StorageError) in
            var key = KeyBytes()
            key.append(UInt32(1))
            key.append(UInt16(0))
            key.append(UInt8(10))
            key.append(UInt64(0))
            key.append(Int64(5))
            key.append(store.pending)
            try transaction.put(Store.table("lines"), key, flags: 0)
        },
        Plant(.turnMissing, "a group that is not in the round") { (transaction, store) throws(StorageError) in
            try transaction.delete(Store.table("turns"), try Store.only("turns", transaction))
        },
        Plant(.turnMissing, "a group without a record") { (transaction, store) throws(StorageError) in
            try transaction.delete(Store.table("groups"), try Store.only("groups", transaction))
        },
        Plant(.turnDangling, "of a group without tasks") { (transaction, store) throws(StorageError) in
            var key = KeyBytes()
            key.append(UInt32(1))
            key.append(UInt16(0))
            key.append(UInt8(5))
            key.append(Int64(5))
            key.append(UInt64(7))
            key.append(UInt64(9))
            try transaction.put(Store.table("turns"), key, flags: 0)
        },
    ]
}

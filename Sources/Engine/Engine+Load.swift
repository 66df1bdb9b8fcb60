import MartletProtocol
import MartletStorage

extension Engine {
    /// Rebuilds what is kept in memory.
    /// - Returns: what cannot be read and is to be put aside.
    mutating func load(_ transaction: borrowing Transaction<Reading>) throws(StorageError) -> [StorageError] {
        let stored = try transaction.read(Tables.queues, queueKey(0)) { record in
            (version: record.version, broker: BrokerRecord(from: &record))
        }
        if let stored {
            guard stored.version == BrokerRecord.format else {
                throw StorageError(
                    .version, "the data has format \(stored.version); this version reads \(BrokerRecord.format)")
            }
            broker = stored.broker
            isBrokerStored = true
        }
        try loadQueues(transaction)
        try loadTypes(transaction)
        let damaged = try loadLeases(transaction)
        try loadWorkers(transaction)
        try loadNonces(transaction)
        try loadOperations(transaction)
        try loadCrons(transaction)
        try loadLimits(transaction)
        try loadBreakers(transaction)
        try loadTaskLimits(transaction)
        return damaged
    }

    private mutating func loadQueues(_ transaction: borrowing Transaction<Reading>) throws(StorageError) {
        var loaded: [QueueState] = []
        try transaction.scanRecords(Tables.queues, from: queueKey(1), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            loaded.append(QueueState(id: reader.next(), from: &record))
            return true
        }
        // A queue is found by its number: a gap would give its tasks to another.
        for (index, queue) in loaded.enumerated() where queue.id != UInt32(index + 1) {
            throw Self.incomplete("the record of queue number \(index + 1)")
        }
        queues = loaded
        for queue in queues where !queue.name.isEmpty { queueNumbers[queue.name] = queue.id }
    }

    private mutating func loadTypes(_ transaction: borrowing Transaction<Reading>) throws(StorageError) {
        var loaded: [(number: UInt32, name: Bytes)] = []
        try transaction.scanRecords(Tables.names, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            _ = reader.next(UInt8.self)
            loaded.append((reader.next(), record.bytes()))
            return true
        }
        for (number, name) in loaded {
            guard types.add(name) == number else { throw Self.incomplete("the name of type number \(types.count)") }
        }
    }

    /// Numbers in records lead to names and queues: with a gap they would lead to others.
    static func incomplete(_ what: String) -> StorageError {
        StorageError(.damaged, "\(what) is missing or damaged; martlet check --repair puts another in its place")
    }

    /// The active ones lie together: a restart reads them and no others. Damaged ones are to be put
    /// aside.
    private mutating func loadLeases(
        _ transaction: borrowing Transaction<Reading>
    ) throws(StorageError) -> [StorageError] {
        let prefix = Phase.active.prefix
        var loaded: [(UInt64, Lease)] = []
        var tied: [Int] = []
        var damaged: [KeyBytes] = []
        try transaction.scanRecords(Tables.states, from: prefix, prefix: prefix, damaged: { damaged.append($0) }) {
            key, record in
            var reader = key.reader
            _ = reader.next(UInt8.self)
            let state = StateRecord(from: &record)
            loaded.append(
                (
                    reader.next(),
                    Lease(
                        token: state.token, deadline: state.deadline, queue: state.queue, worker: state.worker,
                        cancel: state.cancel)
                ))
            if state.isTied || self.queue(state.queue).settings.boundsGroups { tied.append(loaded.count - 1) }
            return true
        }
        for index in tied {
            do throws(StorageError) {
                let task = try task(loaded[index].0, transaction)
                loaded[index].1.order = task.flatMap(orderPlace)?.hash
                loaded[index].1.group = task.flatMap(boundedGroup)
            } catch {
                guard error.kind == .damaged else { throw error }
            }
        }
        for (sequence, lease) in loaded { leases.insert(sequence, lease) }
        return damaged.map {
            StorageError(.damaged, "the state of an active task", table: Tables.states, key: $0)
        }
    }

    private mutating func loadWorkers(_ transaction: borrowing Transaction<Reading>) throws(StorageError) {
        var loaded: [WorkerRecord] = []
        try transaction.scanRecords(Tables.workers, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            loaded.append(WorkerRecord(number: reader.next(), from: &record))
            return true
        }
        for worker in loaded { workers[worker.name] = worker }
    }

    private mutating func loadOperations(_ transaction: borrowing Transaction<Reading>) throws(StorageError) {
        var loaded: [BulkOperation] = []
        try transaction.scanRecords(Tables.operations, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            loaded.append(BulkOperation(number: reader.next(), from: &record))
            return true
        }
        for operation in loaded { operations[operation.number] = operation }
        let dying = Set(loaded.filter { $0.verb == .remove && !$0.state.isOver }.map(\.queue))
        freeQueues = queues.filter { $0.name.isEmpty && !dying.contains($0.id) }.map(\.id)
    }

    private mutating func loadCrons(_ transaction: borrowing Transaction<Reading>) throws(StorageError) {
        var loaded: [CronEntry] = []
        try transaction.scanRecords(Tables.crons, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            loaded.append(CronEntry(number: reader.next(), from: &record))
            return true
        }
        for entry in loaded { crons[entry.name] = entry }
    }

    private mutating func loadNonces(_ transaction: borrowing Transaction<Reading>) throws(StorageError) {
        var loaded: [(Bytes, UInt64)] = []
        try transaction.scanRecords(Tables.requests, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            let group: UInt64 = reader.next()
            _ = record.int64()
            for _ in 0..<record.uint32() where record.left > 0 {
                loaded.append((RememberedRequest(from: &record).request.nonce, group))
            }
            return true
        }
        for (nonce, group) in loaded { nonces.load(nonce, group: group) }
    }
}

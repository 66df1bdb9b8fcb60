import MartletProtocol
import MartletStorage

/// What happened to a task, as far as it may free its UNIQUE key.
enum UniqueMoment {
    case handedOut
    case ended
    case removed
}

/// UNIQUE: at most one task of a queue holds a key at a time.
extension Engine {
    /// Takes a task's key for it, unless it has it already. Whoever revives a task or moves it to another queue calls
    /// this before changing anything else.
    /// - Returns: the task that holds the key and keeps it; `nil`: the key is the task's, or it has none.
    mutating func takeUniqueKey(
        of sequence: UInt64, _ task: TaskRecord, in queue: UInt32, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> UInt64? {
        guard let unique = task.unique else { return nil }
        if let holder = try holder(of: unique.key, in: queue, now, transaction) {
            return holder == sequence ? nil : holder
        }
        try hold(unique, for: sequence, in: queue, until: unique.span.map { now + $0 }, transaction)
        return nil
    }

    /// The task that holds a key now, after what is due for it has happened.
    mutating func holder(
        of key: Bytes, in queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> UInt64? {
        let hash = uniqueHash(key)
        guard let found = try uniqueHold(of: key, hash, in: queue, transaction) else { return nil }
        do throws(StorageError) {
            try settle(found.sequence, now, transaction)
        } catch {
            // What cannot be read holds its key: nobody knows that it ended.
            guard error.kind == .damaged else { throw error }
        }
        guard let hold = try uniqueHold(of: key, hash, in: queue, transaction) else { return nil }
        let isOver = hold.until.map { $0 <= now } ?? false
        let hasTask = try transaction.contains(Tables.tasks, taskKey(hold.sequence))
        guard isOver || !hasTask && !hold.outlives else { return hold.sequence }
        try freeUniqueKey(hash, in: queue, of: hold.sequence, transaction)
        return nil
    }

    /// Frees a task's key if this is the moment at which its UNTIL says so.
    func freeUniqueKey(
        of sequence: UInt64, _ task: TaskRecord?, at moment: UniqueMoment,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let task, let unique = task.unique else { return }
        switch (unique.until, moment) {
        case (.start, _), (.done, .ended), (.done, .removed): break
        case (.expire, .removed) where unique.span == nil: break
        default: return
        }
        try freeUniqueKey(uniqueHash(unique.key), in: task.queue, of: sequence, transaction)
    }

    /// Frees a key whatever its UNTIL says, if the task holds it.
    func dropUniqueKey(
        of sequence: UInt64, _ task: TaskRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let unique = task.unique else { return }
        try freeUniqueKey(uniqueHash(unique.key), in: task.queue, of: sequence, transaction)
    }

    /// The hand-out that freed a key is undone: the task has it again, unless somebody else was faster.
    mutating func takeUniqueKeyBack(
        of sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let task = try task(sequence, transaction), let unique = task.unique, unique.until == .start else {
            return
        }
        let until = unique.span.map { task.created + $0 }
        if let until, until <= now { return }
        guard try holder(of: unique.key, in: task.queue, now, transaction) == nil else { return }
        try hold(unique, for: sequence, in: task.queue, until: until, transaction)
    }

    /// Removes a task's hold, and its timer. Does nothing if it has none.
    func freeUniqueKey(
        _ hash: UInt64, in queue: UInt32, of sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var bucket = try uniqueBucket(hash, in: queue, transaction)
        guard let index = bucket.holds.firstIndex(where: { $0.sequence == sequence }) else { return }
        let hold = bucket.holds.remove(at: index)
        if let until = hold.until {
            let timer = TimerKey(at: until, kind: .unique, sequence: sequence, queue: queue, hash: hash)
            try transaction.delete(Tables.timers, timer.bytes)
        }
        try store(bucket, hash, in: queue, transaction)
    }

    /// Removes holds of a whole queue, at most so many keys; `true`: none is left.
    func freeUniqueKeys(
        of queue: UInt32, most: Int, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        var hashes: [UInt64] = []
        try transaction.scan(Tables.unique, from: queueKey(queue), prefix: queueKey(queue)) {
            (key, _) throws(StorageError) -> Bool in
            var reader = key.reader
            _ = reader.next(UInt32.self)
            hashes.append(reader.next())
            return hashes.count <= most
        }
        for hash in hashes.prefix(most) {
            for hold in try uniqueBucket(hash, in: queue, transaction).holds {
                try freeUniqueKey(hash, in: queue, of: hold.sequence, transaction)
            }
        }
        return hashes.count <= most
    }

    private mutating func hold(
        _ unique: UniqueKey, for sequence: UInt64, in queue: UInt32, until: Timestamp?,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let hash = uniqueHash(unique.key)
        var bucket = try uniqueBucket(hash, in: queue, transaction)
        let outlives = unique.until == .expire && unique.span != nil
        bucket.holds.append(UniqueHold(key: unique.key, sequence: sequence, until: until, outlives: outlives))
        try store(bucket, hash, in: queue, transaction)
        guard let until else { return }
        let timer = TimerKey(at: until, kind: .unique, sequence: sequence, queue: queue, hash: hash)
        try transaction.put(Tables.timers, timer.bytes, flags: 0)
        timerBound = min(timerBound, until)
    }

    private func uniqueHold<A>(
        of key: Bytes, _ hash: UInt64, in queue: UInt32, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> UniqueHold? {
        try uniqueBucket(hash, in: queue, transaction).holds.first { $0.key == key }
    }

    private func uniqueBucket<A>(
        _ hash: UInt64, in queue: UInt32, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> UniqueBucket {
        try transaction.read(Tables.unique, UniqueBucket.key(queue, hash)) { UniqueBucket(from: &$0) }
            ?? UniqueBucket()
    }

    private func store(
        _ bucket: UniqueBucket, _ hash: UInt64, in queue: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let key = UniqueBucket.key(queue, hash)
        if bucket.holds.isEmpty {
            try transaction.delete(Tables.unique, key)
        } else {
            try transaction.put(Tables.unique, key) { bucket.write(to: &$0) }
        }
    }

    /// Keyed by the directory's secret, so that nobody outside can make keys meet.
    func uniqueHash(_ key: Bytes) -> UInt64 { StableHash.hash(key, seed: broker.secret) }
}

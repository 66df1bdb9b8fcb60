import MartletProtocol
import MartletStorage

/// The tasks of a batch: counted when they join, when they end and when they come back.
extension Engine {
    /// Tasks that are cancelled with their batch at once; the others follow in slices.
    static let membersAtOnce = 100

    /// A task that was just stored joins its batch.
    mutating func join(
        _ batch: UInt64, _ sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.put(Tables.members, memberKey(batch, sequence), flags: 0)
        try change(batch: batch, transaction) { $0.total += 1 }
    }

    /// A task has ended, or is gone before it did (which counts as ended badly). One that came back after its batch was
    /// forgotten is nobody's member.
    mutating func leaveBatch(
        _ sequence: UInt64, _ batch: UInt64?, _ state: TaskState, at now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let batch, try transaction.delete(Tables.members, memberKey(batch, sequence)) else { return }
        try change(batch: batch, transaction) { $0.count(state, 1) }
        try finish(batch: batch, at: now, transaction)
    }

    /// The batch of a task that has one: asked before the task's record goes.
    func batch<A>(
        of sequence: UInt64, _ state: StateRecord, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> UInt64? {
        state.isTied ? try task(sequence, transaction)?.batch : nil
    }

    /// An ended task is to run again: its batch, if it is still known, waits for it again.
    mutating func rejoinBatch(
        _ sequence: UInt64, _ task: TaskRecord, from state: TaskState, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let number = task.batch, let batch = try batch(number, transaction) else { return }
        if let over = batch.over {
            try transaction.delete(Tables.timers, Self.retention(of: number, over: over).bytes)
        }
        try transaction.put(Tables.members, memberKey(number, sequence), flags: 0)
        try change(batch: number, transaction) {
            $0.count(state, -1)
            $0.over = nil
        }
    }

    static func retention(of batch: UInt64, over: Timestamp) -> TimerKey {
        TimerKey(at: over + Limits.batchKeep, kind: .batch, sequence: batch, queue: 0)
    }

    /// When the last task of a sealed batch has ended, what follows is added in the same transaction.
    mutating func finish(
        batch number: UInt64, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let batch = try batch(number, transaction), batch.isSealed, batch.pending == 0, batch.over == nil else {
            return
        }
        let due = batch.due
        try change(batch: number, transaction) {
            $0.over = now
            $0.told.formUnion(due)
        }
        let timer = Self.retention(of: number, over: now)
        try setTimer(timer.at, timer.kind, number, 0, transaction)
        guard batch.hasFollowers, !due.isEmpty else { return }
        for follower in try followers(of: number, transaction) where due.contains(follower.on) {
            try add(follower, now, transaction)
        }
    }

    private mutating func followers(
        of number: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> [BatchFollower] {
        do throws(StorageError) {
            return try transaction.read(Tables.followers, taskKey(number)) { BatchFollower.list(from: &$0) } ?? []
        } catch {
            // The last task of the batch must be able to end.
            guard error.kind == .damaged else { throw error }
            damaged = (damaged.count + 1, "what follows batch \(broker.id(number))")
            return []
        }
    }

    /// What follows is added even where nothing is taken now, as a retry is: it was promised before.
    private mutating func add(
        _ follower: BatchFollower, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let queue = try queueNumber(follower.queue, transaction)
        let type = try typeNumber(follower.type, transaction)
        let task = newTask(queue: queue, type: type, options: TaskOptions(), now)
        _ = try store(task, payload: follower.payload, after: nil, now, transaction)
    }

    // MARK: Cancelling

    /// Cancels the next members of a batch that is being cancelled; the others follow by a timer.
    mutating func cancelMembers(
        of number: UInt64, behind last: UInt64, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let most = min(Self.membersAtOnce, waveLeft)
        var members: [UInt64] = []
        var isMore = false
        try transaction.scan(Tables.members, from: memberKey(number, last), prefix: taskKey(number)) {
            (key, _) throws(StorageError) -> Bool in
            var reader = key.reader
            _ = reader.next(UInt64.self)
            let member: UInt64 = reader.next()
            if member == last { return true }
            isMore = members.count == most
            if !isMore { members.append(member) }
            return !isMore
        }
        inWave += members.count
        for member in members { try cancel(member: member, of: number, now, transaction) }
        guard isMore else { return try finish(batch: number, at: now, transaction) }
        let timer = TimerKey(at: now, kind: .members, sequence: number, queue: 0, hash: members.last ?? last)
        try transaction.put(Tables.timers, timer.bytes, flags: 0)
        timerBound = min(timerBound, now)
    }

    private mutating func cancel(
        member: UInt64, of number: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let reason = Bytes("its batch was cancelled".utf8)
        switch try find(broker.id(member), now, transaction) {
        case .waiting(let key, let flags, let task): try cancelWaiting(key, flags, task, reason, now, transaction)
        case .active: try cancelActive(member, reason, now, transaction)
        case .ended: break
        case .nowhere:
            // Its records are damaged, or its queue was deleted: either way it will not run.
            try leaveBatch(member, number, .cancelled, at: now, transaction)
        }
    }
}

import MartletProtocol
import MartletStorage

/// BATCH.NEW, SEAL, CANCEL and INFO.
extension Engine {
    mutating func newBatch(
        _ request: BatchNewRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        for follower in request.followers {
            if let refusal = refusal(of: follower.payload) { return .refused(refusal) }
        }
        guard try transaction.count(Tables.batches) < Limits.batches else {
            return .refused(
                CommandError(.error, "there are \(Limits.batches) batches already; seal or cancel some of them"))
        }
        let number = nextSequence(now)
        let batch = BatchRecord(hasFollowers: !request.followers.isEmpty)
        try transaction.put(Tables.batches, taskKey(number)) { batch.write(to: &$0) }
        if batch.hasFollowers {
            try transaction.put(Tables.followers, taskKey(number)) {
                BatchFollower.write(request.followers, to: &$0)
            }
        }
        return remember(request.request, .id(number))
    }

    mutating func apply(
        _ request: BatchRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let (number, batch) = try batch(named: request.batch, transaction) else {
            return .refused(Self.noBatch(request.batch))
        }
        switch request.action {
        case .seal:
            try change(batch: number, transaction) { $0.isSealed = true }
            try finish(batch: number, at: now, transaction)
        case .cancel where batch.over != nil:
            let name = String(decoding: request.batch, as: UTF8.self)
            return .refused(
                CommandError(.badState, "batch '\(name)' is \(batch.state.rawValue): all its tasks have ended"))
        case .cancel where batch.isCancelled: break
        case .cancel:
            try change(batch: number, transaction) { ($0.isSealed, $0.isCancelled) = (true, true) }
            try cancelMembers(of: number, behind: 0, at: now, transaction)
        }
        return remember(request.request, .ok)
    }

    func batchInfo<A>(_ name: Bytes, _ transaction: borrowing Transaction<A>) throws(StorageError) -> Answer {
        guard let (number, batch) = try batch(named: name, transaction) else { return .refused(Self.noBatch(name)) }
        return .batch(
            BatchView(
                id: broker.id(number), total: batch.total, pending: batch.pending, completed: batch.completed,
                failed: batch.failed, isSealed: batch.isSealed, state: batch.state))
    }

    static func noBatch(_ name: Bytes) -> CommandError {
        CommandError(.error, "no such batch '\(String(decoding: name, as: UTF8.self))'")
    }

    /// Why a task cannot join a batch.
    func refusal<A>(
        ofJoining name: Bytes?, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> CommandError? {
        guard let name else { return nil }
        guard let (_, batch) = try batch(named: name, transaction) else { return Self.noBatch(name) }
        guard batch.isSealed else { return nil }
        let text = String(decoding: name, as: UTF8.self)
        return CommandError(.badState, "batch '\(text)' is sealed; it takes no more tasks: make a new one")
    }

    // MARK: The records

    /// The batch with an id, as it is in the open group.
    func batch<A>(
        named name: Bytes, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> (UInt64, BatchRecord)? {
        guard let number = sequence(TaskID(name)), let batch = try batch(number, transaction) else { return nil }
        return (number, batch)
    }

    func batch<A>(
        _ number: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> BatchRecord? {
        if let open = undoLog.batches[number] { return open }
        return try transaction.read(Tables.batches, taskKey(number)) { BatchRecord(from: &$0) }
    }

    /// A batch, to be changed: it is stored when the group closes.
    mutating func change(
        batch number: UInt64, _ transaction: borrowing Transaction<Writing>, _ body: (inout BatchRecord) -> Void
    ) throws(StorageError) {
        guard var batch = try batch(number, transaction) else { return }
        body(&batch)
        undoLog.batches[number] = batch
    }

    /// It has been over for long enough, if that is when it was over.
    mutating func forgetBatch(
        _ number: UInt64, keptUntil: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let over = try batch(number, transaction)?.over, over + Limits.batchKeep == keptUntil else { return }
        undoLog.batches[number] = nil
        try transaction.delete(Tables.batches, taskKey(number))
        try transaction.delete(Tables.followers, taskKey(number))
    }
}

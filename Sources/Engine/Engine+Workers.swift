public import MartletProtocol
import MartletStorage

extension Engine {
    /// Between two beats.
    private static let beat: Milliseconds = 10_000
    /// Beats a worker may miss before it is called stale.
    private static let missedBeats: Int64 = 3
    /// Whoever is silent for longer is stale.
    static let workerPatience: Milliseconds = beat * missedBeats

    /// A worker introduces itself: what it was told before is forgotten, what it was counted is not.
    mutating func hello(
        _ request: HelloRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        if let refusal = try makeRoom(for: request.worker, now, transaction) { return .refused(refusal) }
        try changeWorker(request.worker, now, transaction) { worker in
            (worker.host, worker.process, worker.slots) = (request.host, request.process, request.slots)
            (worker.queues, worker.order, worker.lastBeat) = (request.queues, .run, now)
            (worker.library, worker.libraryVersion) = (request.library?.name, request.library?.version)
            (worker.residentBytes, worker.busy) = (nil, nil)
        }
        return remember(request.request, .ok)
    }

    /// A worker is alive: its leases are extended, and it is told what it is to do.
    mutating func beat(
        _ request: BeatRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        if let refusal = try makeRoom(for: request.worker, now, transaction) { return .refused(refusal) }
        var lost: [TaskID] = []
        var cancel: Set<UInt64> = []
        for (id, token) in request.extend {
            guard case .held(let sequence) = try hold(id, token, now, transaction),
                let state = try extend(sequence, TouchRequest(id: id, token: token), now, transaction)
            else {
                lost.append(id)
                continue
            }
            if state.cancel { cancel.insert(sequence) }
        }
        for sequence in leases.cancelled where leases[sequence]?.worker == request.worker {
            if leases[sequence].map({ $0.deadline > now }) ?? false { cancel.insert(sequence) }
        }
        var order = WorkerOrder.run
        try changeWorker(request.worker, now, transaction) { worker in
            worker.lastBeat = now
            if let bytes = request.residentBytes { worker.residentBytes = bytes }
            if let busy = request.busy { worker.busy = busy }
            order = worker.order
        }
        let beat = BeatAnswer(order: order, cancel: cancel.sorted().map(broker.id), lost: lost)
        return remember(request.request, .beat(beat))
    }

    /// What a worker is to do from its next beat on. STOP is not taken back by QUIET.
    mutating func order(
        _ request: OrderRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        if let name = request.worker, workers[name] == nil { return .refused(Self.noWorker(name)) }
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        for name in request.worker.map({ [$0] }) ?? workers.names {
            try changeWorker(name, now, transaction) { worker in
                if worker.order.rawValue < request.order.rawValue { worker.order = request.order }
            }
        }
        return remember(request.request, .ok)
    }

    /// A worker ends, and is forgotten. What it still has in its hands comes back when its leases have run out.
    mutating func bye(
        _ request: NameRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let worker = workers[request.name] else { return .refused(Self.noWorker(request.name)) }
        try forget(worker, transaction)
        return remember(request.request, .ok)
    }

    private mutating func forget(
        _ worker: WorkerRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        undoLog.changes.append(.worker(worker.name, worker))
        workers[worker.name] = nil
        try transaction.delete(Tables.workers, queueKey(worker.number))
    }

    static func noWorker(_ name: Bytes) -> CommandError {
        CommandError(.error, "no such worker '\(String(decoding: name, as: UTF8.self))'")
    }

    /// Changes a worker, known or not, and stores it.
    private mutating func changeWorker(
        _ name: Bytes, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>,
        _ change: (inout WorkerRecord) -> Void
    ) throws(StorageError) {
        let before = workers[name]
        undoLog.changes.append(.worker(name, before))
        var worker = before ?? WorkerRecord(number: workers.lastNumber + 1, name: name, now: now)
        change(&worker)
        let changed = worker
        workers[name] = changed
        try transaction.put(Tables.workers, queueKey(changed.number)) { changed.write(to: &$0) }
    }

    /// Before a new name is known: those who have been silent for long are forgotten, two at most for each new one.
    private mutating func makeRoom(
        for name: Bytes, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        guard workers[name] == nil, workers.count >= Limits.workers || workers.forgetBound < now else { return nil }
        for _ in 0..<2 {
            guard let silent = workers.mostSilent else { return nil }
            let isFull = workers.count >= Limits.workers
            let silence = now - silent.lastBeat
            guard silence > Limits.workerMemory || (isFull && silence > Self.workerPatience) else {
                workers.forgetBound = silent.lastBeat + Limits.workerMemory
                guard isFull else { return nil }
                return CommandError(.error, "\(Limits.workers) workers are known and none of them is stale")
            }
            try forget(silent, transaction)
        }
        return nil
    }

    /// Counts something a worker did, if it is known.
    @inline(__always)
    mutating func countWorker(_ name: Bytes?, _ what: WorkerCount, _ change: Int64 = 1) {
        guard let name, !workers.isEmpty, workers.count(name, what, change) else { return }
        undoLog.changes.append(.workerCounted(name, what, change))
    }

    /// What ended by itself counts before anybody looks.
    mutating func lookAtWorkers(
        _ operation: Operation, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        return try answer(operation, now: now, in: transaction)
    }

    /// The names of all workers that are known, in order.
    public var workerNames: [Bytes] { workers.names }

    /// How many workers are known.
    public var workerCount: Int { workers.count }

    func workerViews(_ now: Timestamp) -> [WorkerView] {
        workers.names.compactMap { workers[$0] }.map { view($0, now) }
    }

    func workerView(_ name: Bytes, _ now: Timestamp) -> Answer {
        workers[name].map { .worker(view($0, now)) } ?? .refused(Self.noWorker(name))
    }

    private func view(_ worker: WorkerRecord, _ now: Timestamp) -> WorkerView {
        let held = leases.tasks(of: worker.name).lazy.filter { leases[$0].map { $0.deadline > now } ?? false }
        return WorkerView(
            name: worker.name, host: worker.host, process: worker.process, order: worker.order,
            isStale: now - worker.lastBeat > Self.workerPatience, slots: worker.slots,
            busy: worker.busy ?? Int64(held.count),
            queues: worker.queues, residentBytes: worker.residentBytes, lastBeat: worker.lastBeat,
            started: worker.counts[WorkerCount.started.rawValue],
            completed: worker.counts[WorkerCount.completed.rawValue],
            failed: worker.counts[WorkerCount.failed.rawValue],
            tasks: held.prefix(Limits.workerTasks).map(broker.id), library: worker.library,
            libraryVersion: worker.libraryVersion)
    }
}

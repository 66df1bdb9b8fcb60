internal import MartletEngine
internal import MartletProtocol

/// A worker as the model knows it.
struct ModelWorker: Equatable {
    /// Rises with every name that is new.
    var number: Int
    var hello: HelloSight
    var residentBytes: Int64?
    var busy: Int64?
    var lastBeat: Timestamp
    var order = WorkerOrder.run
    var counts = Counts()
    /// What a restart finds: the counts of the last HELLO, BEAT or order.
    var stored = Counts()
    /// So many more may count as failed: a restart may come between an expiry and its bookkeeping.
    var uncertain: Int64 = 0

    struct Counts: Equatable {
        var started: Int64 = 0
        var completed: Int64 = 0
        var failed: Int64 = 0
    }
}

/// What a worker said of itself.
struct HelloSight: Equatable {
    var host: Bytes?
    var process: Int64?
    var slots: Int64?
    var queues: [Bytes] = []
    var library: Bytes?
    var libraryVersion: Bytes?
}

/// WORKER.HELLO, BEAT, QUIET, STOP, BYE, INFO and LIST.
extension Model {
    mutating func hello(_ request: HelloRequest, _ now: Timestamp) -> Outcome {
        meet(request.worker, now)
        workers[request.worker]?.hello = HelloSight(
            host: request.host, process: request.process, slots: request.slots, queues: request.queues,
            library: request.library?.name, libraryVersion: request.library?.version)
        workers[request.worker]?.order = .run
        workers[request.worker]?.residentBytes = nil
        workers[request.worker]?.busy = nil
        store(request.worker)
        return .ok
    }

    mutating func beat(_ request: BeatRequest, _ now: Timestamp) -> Outcome {
        var (lost, cancel): ([TaskID], Set<TaskID>) = ([], [])
        for (id, token) in request.extend {
            let touched = touch(TouchRequest(id: id, token: token), now)
            if case .touched(_, let isCancelled) = touched {
                if isCancelled { cancel.insert(id) }
            } else {
                lost.append(id)
            }
        }
        for task in tasks.values where task.hold != nil && task.worker == request.worker && task.cancel {
            cancel.insert(task.id)
        }
        meet(request.worker, now)
        if let bytes = request.residentBytes { workers[request.worker]?.residentBytes = bytes }
        if let busy = request.busy { workers[request.worker]?.busy = busy }
        store(request.worker)
        return .beat(Beat(order: workers[request.worker]?.order ?? .run, cancel: cancel.sorted(), lost: lost))
    }

    mutating func order(_ request: OrderRequest) -> Outcome {
        if let name = request.worker, workers[name] == nil { return .refused(.error) }
        for name in request.worker.map({ [$0] }) ?? Array(workers.keys) {
            guard let order = workers[name]?.order else { continue }
            if order == .run || request.order == .stop { workers[name]?.order = request.order }
            store(name)
        }
        return .ok
    }

    mutating func bye(_ name: Bytes) -> Outcome { workers.removeValue(forKey: name) == nil ? .refused(.error) : .ok }

    func workerInfo(_ name: Bytes, _ now: Timestamp) -> Outcome {
        sight(ofWorker: name, now).map { .workers([$0]) } ?? .refused(.error)
    }

    func workerList(_ now: Timestamp) -> Outcome {
        .workers(workers.keys.sorted { $0.lexicographicallyPrecedes($1) }.compactMap { sight(ofWorker: $0, now) })
    }

    private func sight(ofWorker name: Bytes, _ now: Timestamp) -> WorkerSight? {
        guard let worker = workers[name] else { return nil }
        let held = tasks.values.filter { $0.hold != nil && $0.worker == name }
        return WorkerSight(
            name: name, hello: worker.hello, state: now - worker.lastBeat > 30_000 ? "stale" : "\(worker.order)",
            busy: worker.busy ?? Int64(held.count), residentBytes: worker.residentBytes, lastBeat: worker.lastBeat,
            counts: worker.counts,
            uncertain: worker.uncertain, tasks: held.map(\.id).sorted())
    }

    /// A worker is heard of; a new one makes two that were silent for a day be forgotten.
    private mutating func meet(_ name: Bytes, _ now: Timestamp) {
        if workers[name] == nil {
            let silent = workers.filter { now - $0.value.lastBeat > Limits.workerMemory }
                .sorted { ($0.value.lastBeat, $0.value.number) < ($1.value.lastBeat, $1.value.number) }
            for (name, _) in silent.prefix(2) { workers[name] = nil }
            metWorkers += 1
            workers[name] = ModelWorker(number: metWorkers, hello: HelloSight(), lastBeat: now)
        }
        workers[name]?.lastBeat = now
    }

    private mutating func store(_ name: Bytes) {
        guard let counts = workers[name]?.counts else { return }
        workers[name]?.stored = counts
    }

    /// Counts what a worker did.
    mutating func count(_ worker: Bytes?, _ change: (inout ModelWorker.Counts) -> Void) {
        guard let worker, workers[worker] != nil else { return }
        change(&workers[worker, default: ModelWorker(number: 0, hello: HelloSight(), lastBeat: 0)].counts)
    }
}

internal import MartletEngine
internal import MartletProtocol
internal import MartletStorage

/// Everything the engine knows against everything the model knows.
extension Simulation {
    /// GET with payload and history, RESULT and WHY of every task that is or recently was.
    func compareTasks() {
        write { engine, transaction throws(StorageError) in
            let reasons = self.known.map { MartletEngine.Operation.why($0) }
            // GET settles what WHY must settle for itself when it comes first.
            let looks = self.random.chance(50) ? self.lookUps() + reasons : reasons + self.lookUps()
            for operation in looks where self.finding == nil {
                let answer = try engine.apply(operation, now: self.now, in: transaction)
                let expected = self.model.apply(operation, now: self.now, answer: answer)
                self.compare(expected, Outcome(answer), isBehind: engine.mayBeDue(by: self.now))
                if self.finding != nil { self.note("\(readable(operation))") }
                self.note(reasonIn: answer)
            }
        }
    }

    private func note(reasonIn answer: Answer) {
        guard finding == nil, case .why(let view) = answer else { return }
        reasonsTold.insert(view.reason)
    }

    private func lookUps() -> [MartletEngine.Operation] {
        known.flatMap {
            [.get(GetRequest(id: $0, payload: true, history: true)), .result($0), .logs(LogsRequest(id: $0))]
        } + [.queueList, .workerList, .operations, .cronList, .limitList, .breakerList]
            + model.batches.keys.sorted().map { .batchInfo($0.text) }
    }

    /// Lets the bookkeeping catch up; then tasks, counters, tables and the timer must agree.
    func compareAll() {
        var rounds = 0
        while finding == nil, tick(limit: 1_000) > 0 || isRemoving {
            rounds += 1
            if rounds > 2_000 { return found("the bookkeeping never catches up") }
        }
        let kinds = Generator.queues.map { MartletEngine.Operation.deadKinds(DeadKindsRequest(queue: $0)) }
        // When nothing is due, WHY is answered from a snapshot.
        let looks = lookUps() + kinds + known.map { .why($0) }
        read { engine, transaction throws(StorageError) in
            for operation in looks where self.finding == nil {
                let answer = try engine.answer(operation, now: self.now, in: transaction)
                self.compare(self.model.apply(operation, now: self.now, answer: answer), Outcome(answer))
                if self.finding != nil { self.note("\(readable(operation))") }
                if case .queues(let queues) = answer, queues.contains(where: \.lagging) { self.found("still lagging") }
            }
            for _ in 0..<4 where self.finding == nil { try self.compareList(engine, transaction) }
            if engine.fairQueues != self.model.wantedFair { self.found("FAIR is not switched: \(engine.fairQueues)") }
            let findings = try engine.validate(now: self.now, in: transaction)
            if let first = findings.first { self.found("tables disagree: \(first)") }
            self.compareTimer(try engine.nextInstant(in: transaction))
            try self.compareMoves(engine, transaction)
            try self.compareTexts(engine, transaction)
        }
    }

    /// A deleted queue's tasks are still being removed.
    private var isRemoving: Bool {
        var removes = false
        read { engine, transaction throws(StorageError) in
            guard case .operations(let all) = try engine.answer(.operations, now: self.now, in: transaction) else {
                return
            }
            removes = all.contains { $0.verb == .remove && !$0.state.isOver }
        }
        return removes
    }

    /// The timer is set for the next thing to do; it may also look after a task whose time to live ends while it runs.
    private func compareTimer(_ next: Timestamp?) {
        let first = min(next ?? .max, model.nextInstant ?? .max)
        let gates = model.gateInstants.filter { $0 > now && $0 < first }.sorted()
        if let missed = gates.first(where: model.hasWork(at:)) {
            return found("timer: somebody who waits is to be served at \(missed), not at \(readable(next as Any))")
        }
        let running = model.tasks.values.filter { $0.state == .active }.compactMap(\.expiresAt).filter { $0 > now }
        guard next != model.nextInstant, next != (running + [model.nextInstant ?? .max]).min() else { return }
        // Who waits at a gate is the engine's business; it may look there once too often, but not too late.
        if let next, model.gateInstants.contains(next), next < model.nextInstant ?? .max { return }
        found("timer: expected \(readable(model.nextInstant as Any)), got \(readable(next as Any))")
    }

    private func read(
        _ body: (borrowing Engine, borrowing Transaction<Reading>) throws(StorageError) -> Void
    ) {
        guard finding == nil else { return }
        do throws(StorageError) {
            try store.read(body)
        } catch {
            found("reading failed: \(error)")
        }
    }

    /// Plain keys hold what they should, and those whose end has come are gone from the disk.
    private func compareTexts(
        _ engine: borrowing Engine, _ transaction: borrowing Transaction<Reading>
    ) throws(StorageError) {
        for key in Generator.textKeys {
            let text = try engine.text(key, now: now, in: transaction)
            let observed = text.map { ModelText(value: $0.value, until: $0.until) }
            if observed != model.texts[key] {
                found(
                    "key \(readable(key)): expected \(readable(model.texts[key] as Any)), got \(readable(text as Any))")
            }
        }
        let count = try engine.textCount(in: transaction)
        if count != model.texts.count { found("\(count) keys are stored, not \(model.texts.count)") }
        var (keys, place): (Set<Bytes>, UInt64?) = ([], 0)
        while let from = place {
            let page = try engine.texts(from: from, limit: 1, bytes: .max, now: now, in: transaction)
            keys.formUnion(page.keys)
            place = page.next
        }
        if keys != Set(model.texts.keys) { found("the walk found \(keys.map(readable)), not what is there") }
    }

    /// Workers finish everything: nothing may be left waiting or leased.
    func drain() throws(SimulationFailure) {
        note("drain")
        for caller in model.waitingCallers + model.watches.map(\.caller) {
            store.withEngine { $0.forget(caller: caller) }
            model.forget(caller)
        }
        write { engine, transaction throws(StorageError) in
            for queue in Generator.queues {
                let free = QueueSetRequest(
                    queue: queue, given: [.concurrency, .groupConcurrency, .limit, .breaker], options: QueueOptions())
                for operation in [.queueResume(QueueRequest(queue: queue)), MartletEngine.Operation.queueSet(free)] {
                    let answer = try engine.apply(operation, now: self.now, in: transaction)
                    self.compare(self.model.apply(operation, now: self.now, answer: answer), Outcome(answer))
                }
            }
        }
        // Without its limits a task runs freely.
        write { engine, transaction throws(StorageError) in
            for name in Generator.limits {
                let delete = MartletEngine.Operation.limitDelete(NameRequest(name: name))
                let answer = try engine.apply(delete, now: self.now, in: transaction)
                self.compare(self.model.apply(delete, now: self.now, answer: answer), Outcome(answer))
            }
        }
        var rounds = 0
        while finding == nil, let instant = unfinishedInstant() {
            rounds += 1
            if rounds > 20_000 { found("the queues never run dry") }
            now = max(now, instant)
            tick(limit: 1_000)
            finishOne()
        }
        compareAll()
        try report()
    }

    /// When the next unfinished task can be worked on or comes back; `nil`: all are finished.
    private func unfinishedInstant() -> Timestamp? {
        let instants = model.tasks.values.compactMap { task in
            task.isWaiting ? min(task.runAt, task.expiresAt ?? task.runAt) : task.deadline
        }
        return (instants + [store.withEngine { $0.nextOperationInstant }].compactMap { $0 }).min()
    }

    private func finishOne() {
        write { engine, transaction throws(StorageError) in
            let reserve = MartletEngine.Operation.reserve(
                ReserveRequest(queues: Generator.queues + [Generator.followerQueue], count: 10))
            let answer = try engine.apply(reserve, now: self.now, in: transaction)
            self.compare(self.model.apply(reserve, now: self.now, answer: answer), Outcome(answer))
            guard case .handedOut(let tasks) = answer, !tasks.isEmpty else { return }
            let done = AcknowledgeManyRequest(tasks: tasks.map { ($0.id, $0.token) })
            let acknowledged = try engine.apply(.acknowledgeMany(done), now: self.now, in: transaction)
            let expected = self.model.apply(.acknowledgeMany(done), now: self.now, answer: acknowledged)
            self.compare(expected, Outcome(acknowledged))
        }
    }
}

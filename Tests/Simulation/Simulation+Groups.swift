internal import MartletEngine
internal import MartletProtocol
internal import MartletStorage

/// A failure of the disk that is planted into a group.
struct Fault {
    /// The n-th storage call fails.
    var call: Int
    var code: Int32

    /// A full map, a full disk, or a broken one.
    static func invent(_ random: inout SplitMix64) -> Fault {
        Fault(call: random.pick([1, 2, 3, 5, 8, 13, 21]), code: random.pick([-30_792, 28, 5]))
    }
}

/// Groups: operations that share a transaction.
extension Simulation {
    /// Runs a few operations in one group, as the broker does, and compares every answer.
    ///
    /// With `crash` the group is given up at its end, with `fault` when the storage fails; then nothing of it may have
    /// happened, in memory neither.
    func runGroup(crash: Bool = false, fault: Fault? = nil) {
        let count = Int.random(in: 1...6, using: &random)
        var next: MartletEngine.Operation?
        note("group\(crash ? ", given up at its end" : "")\(fault.map { ", storage call \($0.call) fails" } ?? "")")
        write(crash: crash, fault: fault) { engine, transaction throws(StorageError) in
            for _ in 0..<count where self.finding == nil {
                let operation = next ?? self.generator.operation(self.model, self.now)
                next = nil
                self.note("\(readable(operation))")
                let mayBringWaves = self.mayBringWaves
                engine.waveSlice = self.isOneStep(operation) ? Model.slice : Self.wholeWave
                if self.deletesDueCron(operation) {
                    // What runs before the entry goes would be seen nowhere.
                    _ = try engine.advance(to: self.now, limit: 10_000, in: transaction)
                    try self.observeCrons(engine, .ok, transaction)
                }
                let answer = try engine.apply(operation, now: self.now, in: transaction)
                try self.observeCrons(engine, answer, transaction)
                try self.observeFollowers(engine, transaction)
                try self.observeChildren(of: operation, engine, transaction)
                self.model.observeFair(engine.fairQueues)
                let expected = self.model.apply(operation, now: self.now, answer: answer)
                self.compare(expected, Outcome(answer), isBehind: engine.mayBeDue(by: self.now))
                guard mayBringWaves || self.mayBringWaves else { continue }
                next = self.handOut(meeting: operation)
                if next == nil { try self.catchUp(&engine, transaction) }
            }
        }
        if next != nil { beginAgainInBetween() }
    }

    /// A RESERVE that meets tasks of which some stand in lines and others do not, while nothing else is behind.
    /// Of few tasks: until all stand in lines, so many of full groups in front of others may hold these back.
    private func handOut(meeting operation: MartletEngine.Operation) -> MartletEngine.Operation? {
        guard case .queueSet(let request) = operation, request.given.contains(.fair), !model.hasParked,
            model.batches.isEmpty, !model.keepsFew, random.chance(70),
            model.tasks.values.count(where: { $0.queue == request.queue && $0.isWaiting }) <= 100
        else { return nil }
        return .reserve(
            ReserveRequest(queues: [request.queue], count: random.pick([1, 2, 5]), caller: generator.newCaller()))
    }

    /// Some tasks stand in lines and others do not, and the broker ends and starts again.
    private func beginAgainInBetween() {
        guard finding == nil else { return }
        if random.chance(70) { restart(mayTakeTime: false) }
        tick(limit: 1_000)
    }

    /// Whether the bookkeeping is to be done before anything else.
    ///
    /// Blocked callers are served from what it brings to light: with them it is not behind. Where KEEPMAX counts, what
    /// was late would be counted late; and what tells others of its end, would tell them too late to be seen.
    var mustCatchUp: Bool {
        !model.calls.isEmpty || !model.watches.isEmpty || !model.drains.isEmpty || model.keepsFew || mayBringWaves
    }

    /// No wave has more tasks.
    private static let wholeWave = 1_000

    /// Whether what happens to one task may change many others.
    private var mayBringWaves: Bool { model.hasParked || !model.batches.isEmpty || model.hasFair }

    /// Whether nothing an operation answers or does depends on how far the waves have come that it brings itself.
    private func isOneStep(_ operation: MartletEngine.Operation) -> Bool {
        switch operation {
        case .acknowledge(let request): request.next == nil && request.children.isEmpty
        case .delete(let request): request.ids.count == 1
        case .fail, .release, .cancel, .queueSet: true
        case .batch: !model.hasParked
        default: false
        }
    }

    /// Lets the bookkeeping catch up within a group. Waves come in slices, and nothing is left of them.
    private func catchUp(
        _ engine: inout Engine, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        engine.waveSlice = Model.slice
        var rounds = 0
        // When nothing is due nobody is woken for it, so that who waits is woken by what happens to tasks.
        while engine.mayBeDue(by: now), try engine.advance(to: now, limit: 10_000, in: transaction) == 10_000 {
            rounds += 1
            if rounds > 1_000 { return found("a wave never ends") }
        }
        try observeCrons(engine, .ok, transaction)
        try observeFollowers(engine, transaction)
        // Switching FAIR may have come to its end.
        model.observeFair(engine.fairQueues)
        engine.waveSlice = Self.wholeWave
    }

    /// One group: `body`, then the blocked callers.
    func write(
        crash: Bool = false, fault: Fault? = nil, isPrompt: Bool = false,
        _ body: (inout Engine, borrowing Transaction<Writing>) throws(StorageError) -> Void
    ) {
        let before = model
        let failures = faults.failures
        faults.failAt = fault?.call
        faults.code = fault?.code ?? 0
        do throws(StorageError) {
            try store.write(now: now) { engine, transaction throws(StorageError) in
                if isPrompt || self.mustCatchUp {
                    try self.catchUp(&engine, transaction)
                    try self.serveWaiting(&engine, transaction)
                }
                engine.waveSlice = Self.wholeWave
                try body(&engine, transaction)
                try self.observeFollowers(engine, transaction)
                try self.serveWaiting(&engine, transaction)
                try self.observeFollowers(engine, transaction)
                if crash { throw StorageError(.failed, "give the group up") }
            }
            known += model.tasks.keys.filter { before.tasks[$0] == nil }.sorted()
        } catch {
            model = before
            if !crash, faults.failures == failures { found("storage failed unasked: \(error)") }
            if finding == nil, faults.failures > failures { note("storage failed: \(error)") }
        }
        faults.failAt = nil
        if known.count > 200 { known.removeAll { model.tasks[$0] == nil } }
    }

    /// The model learns which ids an ACK gave to what it added.
    private func observeChildren(
        of operation: MartletEngine.Operation, _ engine: borrowing Engine, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard case .acknowledge(let request) = operation, !request.children.isEmpty else { return }
        let newest = model.newestID.map { $0.sequence + 1 } ?? 0
        let shown = Set(model.shownFollowers.values.joined())
        let ids = try engine.taskIDs(from: newest, limit: 1_000, in: transaction).ids.filter { !shown.contains($0) }
        model.offered = Array(ids.prefix(request.children.count))
    }

    /// The model learns which ids the followers of batches have.
    func observeFollowers(
        _ engine: borrowing Engine, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard !model.batches.isEmpty || !model.followers.isEmpty else { return }
        let oldest = model.batches.keys.min().map(\.sequence) ?? 0
        let known = Set(model.shownFollowers.values.joined())
        for id in try engine.taskIDs(from: oldest, limit: 10_000, in: transaction).ids
        where model.tasks[id] == nil && !known.contains(id) {
            let get = MartletEngine.Operation.get(GetRequest(id: id, payload: true))
            guard case .task(let view) = try engine.answer(get, now: now, in: transaction),
                view.type == Generator.followerType, let payload = view.payload
            else { continue }
            model.shownFollowers[payload, default: []].append(id)
        }
        model.insertFollowers()
    }

    private func deletesDueCron(_ operation: MartletEngine.Operation) -> Bool {
        guard case .cron(let request) = operation, request.action == .delete else { return false }
        return model.crons[request.name]?.view.nextRun.map { $0 <= now } ?? false
    }

    /// The model learns which crons ran.
    func observeCrons(
        _ engine: borrowing Engine, _ answer: Answer, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard case .crons(let views) = try engine.answer(.cronList, now: now, in: transaction), !views.isEmpty else {
            return
        }
        model.observeCrons(views, now, apartFrom: answer)
    }

    private func serveWaiting(
        _ engine: inout Engine, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var delivered: [CallerID: Answer] = [:]
        var twice: CallerID?
        try engine.serveWaiting(now: now, in: transaction) { caller, answer in
            if delivered.updateValue(answer, forKey: caller) != nil { twice = caller }
        }
        guard finding == nil else { return }
        model.observeFair(engine.fairQueues)
        if let twice { found("caller \(twice) was answered twice") }
        compare(model.serveWaiting(now, delivered), delivered.mapValues(Outcome.init))
        if Set(engine.waitingCallers) != Set(model.waitingCallers) {
            found("waiting callers: expected \(model.waitingCallers), got \(engine.waitingCallers)")
        }
        if engine.watchingCallers != model.watches.map(\.caller) {
            found("watching callers: expected \(model.watches.map(\.caller)), got \(engine.watchingCallers)")
        }
    }

    private func compare(_ expected: [CallerID: Outcome], _ observed: [CallerID: Outcome]) {
        for caller in Set(expected.keys).union(observed.keys).sorted() {
            operations += 1
            note("served: caller \(caller)")
            guard let expected = expected[caller], let observed = observed[caller] else {
                let (left, right) = (readable(expected[caller] as Any), readable(observed[caller] as Any))
                return found("caller \(caller): expected \(left), got \(right)")
            }
            compare(expected, observed)
        }
    }

    /// Compares one answer, and takes the model's complaints over.
    ///
    /// - Parameter isBehind: the bookkeeping has not come to everything that is due, so that counts may be behind.
    func compare(_ expected: Outcome, _ observed: Outcome, isBehind: Bool = false) {
        operations += 1
        if isBehind, case .limits(let told) = expected, case .limits(let seen) = observed, told.count == seen.count {
            let known = zip(told, seen).map { $0.waiting(like: $1) }
            if let finding = Outcome.limits(known).difference(from: observed) { found(finding) }
            return
        }
        if let complaint = model.complaints.first { found(complaint) }
        if let finding = expected.difference(from: observed) { found(finding) }
    }
}

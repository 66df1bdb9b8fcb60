internal import MartletEngine
internal import MartletProtocol
internal import MartletStorage

/// What happens between the groups.
extension Simulation {
    /// Time passes: from instant to instant as the broker's timer does, or in one jump as after a stall.
    func letTimePass() {
        let days: Timestamp = generator.hasBatches && random.chance(10) ? 700_000_000 : 0
        let target = now + days + random.pick([0, 1, 1, 2, 5, 10, 50, 200, 1_000, 30_000, 610_000])
        let jump = random.chance(generator.fallsBehind ? 80 : 40)
        note("time passes to \(target)\(jump ? " at once" : "")")
        if !jump { followTimer(to: target) }
        now = target
        if !jump || random.chance(generator.fallsBehind ? 20 : 60) {
            tick(limit: jump ? random.pick([1, 2, 1_000]) : 1_000)
        }
    }

    /// Does what the engine's own timer asks for, each thing at its instant.
    private func followTimer(to target: Timestamp) {
        var idle = 0
        while finding == nil, let next = nextInstant(), next <= target {
            idle = next <= now ? idle + 1 : 0
            if idle > 500 { return found("the timer asks for \(next) again and again at \(now)") }
            now = max(now, next)
            tick(limit: 1_000)
        }
    }

    func nextInstant() -> Timestamp? {
        do throws(StorageError) {
            return try store.read { engine, transaction throws(StorageError) in
                [try engine.nextInstant(in: transaction), engine.nextOperationInstant].compactMap { $0 }.min()
            }
        } catch {
            found("reading failed: \(error)")
            return nil
        }
    }

    /// What the broker does when its timer fires; how much of the bookkeeping was done.
    @discardableResult
    func tick(limit: Int) -> Int {
        guard finding == nil else { return 0 }
        // Before the model does what is due.
        let isPrompt = mustCatchUp
        var ended: [CallerID: Outcome] = [:]
        store.withEngine { engine in
            engine.expireWaiting(now: now) { ended[$0] = Outcome($1) }
        }
        let expected = model.expireWaiting(now)
        if ended != expected { found("ended waits: expected \(readable(expected)), got \(readable(ended))") }
        var done = 0
        write(isPrompt: isPrompt) { engine, transaction throws(StorageError) in
            done = try engine.advance(to: self.now, limit: limit, in: transaction)
            try self.observeCrons(engine, .ok, transaction)
            try self.observeFollowers(engine, transaction)
            guard done < limit else { return }
            self.model.settle(self.now)
            if let number = try engine.runOperation(now: self.now, in: transaction) {
                self.note("a slice of operation \(number)")
                self.model.runSlice(of: number, self.now)
                try self.observeFollowers(engine, transaction)
            }
        }
        model.settle(now)
        if done > limit { found("advance did \(done) of at most \(limit)") }
        return done
    }

    /// A hand-out whose reply could not be written.
    func undoHandOut() {
        let leased = model.tasks.values.filter { $0.state == .active }.sorted { $0.id < $1.id }
        guard let task = leased.randomElement(using: &random), let hold = task.hold else { return }
        let token = random.chance(80) ? hold.token : hold.token - 1
        note("undo the hand-out of \(task.id), token \(token)")
        write { engine, transaction throws(StorageError) in
            try engine.undo(handOut: task.id, token: token, now: self.now, in: transaction)
            self.model.undo(task.id, token, self.now)
        }
    }

    /// A blocked caller hangs up.
    func forgetCaller() {
        let callers = model.waitingCallers + model.watches.map(\.caller)
        guard let caller = callers.sorted().randomElement(using: &random) else { return }
        note("caller \(caller) hangs up")
        store.withEngine { $0.forget(caller: caller) }
        model.forget(caller)
    }

    /// Nothing more comes for a while: the journal's groups go to the tables' file.
    func settle() {
        note("settle")
        do throws(StorageError) {
            try store.settle()
            try store.flush()
        } catch {
            found("settling failed: \(error)")
        }
    }

    /// The broker ends, or is ended, and starts again on what it has stored.
    func restart(mayTakeTime: Bool = true) {
        let crash = random.chance(60)
        note(crash ? "crash and restart" : "restart")
        if mayTakeTime, random.chance(30) { now += random.pick([1, 50, 2_000]) }
        do throws(StorageError) {
            try reopen(seed: random.next(), afterCrash: crash)
            model.restart()
        } catch {
            found("restart failed: \(error)")
        }
    }
}

import Logging
import MartletProtocol
import NIOCore

/// One lane of a worker: takes a task, runs its handler, tells the outcome and takes the next with the same command.
struct Slot: Sendable {
    let number: Int
    let worker: Worker
    let crew: Crew
    let heart: Heart
    let keeper: LeaseKeeper
    /// Where tasks go that were reserved by the way.
    let strays: AsyncStream<Lease>.Continuation
    /// This slot's own connection: it is blocked while no task is there. Replaced after a rest.
    var link: Link

    /// Until the worker stops.
    mutating func run() async {
        var next: Lease?
        var pause = Duration.milliseconds(50)
        while true {
            if crew.isStopping || crew.isQuiet {
                if let lease = next { await keeper.release(lease) }
                next = nil
                guard await rest() else { return }
            }
            if let lease = next {
                next = await work(lease)
                continue
            }
            do throws(MartletError) {
                next = try await take()
                pause = .milliseconds(50)
            } catch .closed {
                await renewLink()
            } catch {
                worker.logger.warning("cannot reserve", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }

    /// Until tasks may be taken again; `false`: the worker stops.
    private mutating func rest() async -> Bool {
        guard await crew.mayTake() else {
            await link.close()
            return false
        }
        await renewLink()
        return true
    }

    /// The old one may have been ended, so that its blocked call returned.
    private mutating func renewLink() async {
        await link.close()
        link = worker.makeLink()
    }

    /// Waits for a task. `nil`: none came in that time, or the worker rests or stops.
    private func take() async throws(MartletError) -> Lease? {
        guard crew.beginWaiting(slot: number, on: link) else { return nil }
        defer { crew.endWaiting(slot: number) }
        let command = reserve(block: worker.options.block.wholeMilliseconds)
        let reply = try await link.send(command, blocking: worker.options.block, role: .reserve)
        return try Lease.all(in: reply).first
    }
}

// MARK: - Working on a task

extension Slot {
    private func reserve(block: Milliseconds?) -> RESPCommand {
        Commands.reserve(
            queues: worker.queues, worker.options, block: block, nonce: Nonce.random())
    }

    /// Runs the handler and settles the lease; returns the next one if it came with the answer.
    private func work(_ lease: Lease) async -> Lease? {
        let attempt = Attempt(crew: crew, loop: link.loop, patience: worker.options.patience)
        let log = worker.options.capturesLogs ? LogCapture(lease, link: keeper.link) : nil
        let followUps = FollowUps()
        let context = context(lease, attempt, followUps, log)
        let (name, handler) = (worker.options.name, worker.handlers.handler(for: lease.type))
        let started = ContinuousClock.now
        attempt.start {
            try await TaskTracing.run(context, worker: name) { try await handler(lease.payload, context) }
        }
        crew.begin(lease, attempt, slot: number)
        heart.holds(lease)
        let alarms = LimitAlarms(worker.limits(for: lease.type), of: attempt, on: link.loop)
        let outcome = await attempt.outcome()
        alarms.cancel()
        crew.endAttempt(slot: number)
        await log?.finish()
        WorkerMetrics.record(outcome, of: lease, took: ContinuousClock.now - started)
        return await tell(outcome, of: lease, followUps.take())
    }

    private func tell(
        _ outcome: Attempt.Outcome, of lease: Lease, _ children: [[RESPCommand.Argument]]
    ) async -> Lease? {
        switch outcome {
        case .finished(let result): return await acknowledge(lease, result, children)
        case .failed(let failure): await fail(lease, failure)
        case .timedOut:
            let limit = worker.limits(for: lease.type).hard ?? .zero
            await fail(lease, TaskFailure("past its hard limit of \(limit)", kind: "timeout"))
        case .abandoned: await keeper.release(lease)
        case .leaseLost: worker.logger.warning("lease lost while running", metadata: ["task": "\(lease.id)"])
        }
        return nil
    }

    private func context(
        _ lease: Lease, _ attempt: Attempt, _ followUps: FollowUps, _ log: LogCapture?
    ) -> TaskContext {
        TaskContext(lease, attempt, followUps, logger: TaskLogger.make(worker.logger, lease, capture: log)) {
            [keeper] percent, note throws(CancellationError) in
            let command = Commands.touch(lease, progress: percent, note: note)
            guard await keeper.touch(command, of: attempt) else { throw CancellationError() }
        }
    }

    private func fail(_ lease: Lease, _ failure: TaskFailure) async {
        var random = SystemRandomNumberGenerator()
        let failure = worker.options.retries.apply(to: failure, attempt: lease.attempt, using: &random)
        await keeper.settle(Commands.fail(lease, failure, nonce: Nonce.random()), lease)
    }

    /// Acknowledges, and takes the next task in the same round trip where this connection can.
    private func acknowledge(
        _ lease: Lease, _ result: Bytes, _ children: [[RESPCommand.Argument]]
    ) async -> Lease? {
        guard await link.hasReserved, crew.beginWaiting(slot: number, on: link) else {
            await settle(lease, result, children)
            return nil
        }
        defer { crew.endWaiting(slot: number) }
        let block = worker.options.block
        let command = Commands.acknowledge(
            lease, result: result, children: children, nonce: Nonce.random(), nextBlock: block.wholeMilliseconds)
        do throws(MartletError) {
            return try Lease.all(in: try await link.send(command, blocking: block, role: .next(prelude))).first
        } catch  where error.endsLease && children.isEmpty {
            keeper.note(error, lease)
        } catch {
            // Whether it was done is open. Said again with the same token it is done once.
            await settle(lease, result, children)
        }
        return nil
    }

    private func settle(_ lease: Lease, _ result: Bytes, _ children: [[RESPCommand.Argument]]) async {
        if result.count > Limits.payload {
            return await fail(
                lease, TaskFailure("a result of \(result.count) bytes is too large", kind: "result_too_big"))
        }
        let command = Commands.acknowledge(lease, result: result, children: children)
        guard let error = await keeper.deliver(command, lease) else { return }
        guard !children.isEmpty, case .refused = error, error.code != .leaseLost, !error.isPassing else {
            return keeper.note(error, lease)
        }
        await fail(lease, TaskFailure("what follows from it was refused: \(error)", kind: "follow_up_refused"))
    }

    /// Makes a new connection one that has reserved. What it takes by that is given back at once.
    private var prelude: Prelude {
        Prelude(command: reserve(block: nil)) { [strays] reply in
            for lease in (try? Lease.all(in: reply)) ?? [] { strays.yield(lease) }
        }
    }
}

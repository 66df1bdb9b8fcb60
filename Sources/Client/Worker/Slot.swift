import Logging
import MartletProtocol

/// One lane of a worker: takes a task, runs its handler, tells the outcome and takes the next with the same command.
struct Slot: Sendable {
    let number: Int
    let worker: Worker
    let crew: Crew
    /// This slot's own connection: it is blocked while no task is there.
    let link: Link
    let keeper: LeaseKeeper
    /// Where tasks go that were reserved by the way.
    let strays: AsyncStream<Lease>.Continuation

    /// Until the worker stops.
    func run() async {
        var next: Lease?
        var pause = Duration.milliseconds(50)
        while true {
            if let lease = next {
                if crew.isStopping {
                    await keeper.release(lease)
                    return await link.close()
                }
                next = await work(lease)
                continue
            }
            guard !crew.isStopping else { return await link.close() }
            do throws(MartletError) {
                next = try await take()
                pause = .milliseconds(50)
            } catch {
                guard !crew.isStopping else { return await link.close() }
                worker.logger.warning("cannot reserve", metadata: ["error": "\(error)"])
                try? await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            }
        }
    }

    /// Waits for a task. `nil`: none came in that time, or the worker stops.
    private func take() async throws(MartletError) -> Lease? {
        guard crew.beginWaiting(slot: number, on: link) else { return nil }
        defer { crew.endWaiting(slot: number) }
        let command = reserve(block: worker.options.block.wholeMilliseconds)
        let reply = try await link.send(command, blocking: worker.options.block, role: .reserve)
        return try Lease.all(in: reply).first
    }

    private func reserve(block: Milliseconds?) -> RESPCommand {
        Commands.reserve(
            queues: worker.queues, worker: worker.options.name, lease: worker.options.lease?.wholeMilliseconds,
            block: block, nonce: Nonce.random())
    }

    /// Runs the handler and settles the lease; returns the next one if it came with the answer.
    private func work(_ lease: Lease) async -> Lease? {
        let attempt = Attempt()
        let handler = worker.handlers.handler(for: lease.type)
        let context = context(lease, attempt)
        attempt.start { try await handler(lease.payload, context) }
        crew.begin(attempt, slot: number)
        // Awaited below: it ends when it is cancelled.
        let keeping = Task { await keeper.keep(lease, of: attempt) }
        let outcome = await attempt.outcome()
        crew.endAttempt(slot: number)
        keeping.cancel()
        switch outcome {
        case .finished(let result): return await acknowledge(lease, result)
        case .failed(let failure): await keeper.settle(Commands.fail(lease, failure, nonce: Nonce.random()), lease)
        case .abandoned: await keeper.release(lease)
        case .leaseLost: worker.logger.warning("lease lost while running", metadata: ["task": "\(lease.id)"])
        }
        return nil
    }

    private func context(_ lease: Lease, _ attempt: Attempt) -> TaskContext {
        TaskContext(
            id: lease.id, queue: lease.queue, type: lease.type, attempt: lease.attempt, retries: lease.retries,
            enqueuedAt: lease.enqueuedAt, lastError: lease.lastError
        ) { [keeper] percent, note throws(CancellationError) in
            let command = Commands.touch(lease, progress: percent, note: note)
            guard await keeper.touch(command, of: attempt) else { throw CancellationError() }
        }
    }

    /// Acknowledges, and takes the next task in the same round trip where this connection can.
    private func acknowledge(_ lease: Lease, _ result: Bytes) async -> Lease? {
        guard await link.hasReserved, crew.beginWaiting(slot: number, on: link) else {
            await settle(lease, result)
            return nil
        }
        defer { crew.endWaiting(slot: number) }
        let block = worker.options.block
        let command = Commands.acknowledge(
            lease, result: result, nonce: Nonce.random(), nextBlock: block.wholeMilliseconds)
        do throws(MartletError) {
            return try Lease.all(in: try await link.send(command, blocking: block, role: .next(prelude))).first
        } catch  where error.endsLease {
            worker.logger.warning("lease lost", metadata: ["task": "\(lease.id)", "error": "\(error)"])
        } catch {
            // Whether it was done is open. Said again with the same token it is done once.
            await settle(lease, result)
        }
        return nil
    }

    private func settle(_ lease: Lease, _ result: Bytes) async {
        if result.count > Limits.payload {
            let failure = TaskFailure("a result of \(result.count) bytes is too large", kind: "result_too_big")
            return await keeper.settle(Commands.fail(lease, failure, nonce: Nonce.random()), lease)
        }
        await keeper.settle(Commands.acknowledge(lease, result: result), lease)
    }

    /// Makes a new connection one that has reserved. What it takes by that is given back at once.
    private var prelude: Prelude {
        Prelude(command: reserve(block: nil)) { [strays] reply in
            for lease in (try? Lease.all(in: reply)) ?? [] { strays.yield(lease) }
        }
    }
}

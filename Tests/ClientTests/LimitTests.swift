import Logging
import MartletClient
import ServiceLifecycle
import Testing

/// Handlers that are told to end, against the real broker.
@Suite(.timeLimit(.minutes(3)))
struct LimitTests {
    private static let quiet = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }

    private static func worker(
        _ broker: BrokerProcess, _ options: WorkerOptions, limits: TimeLimits? = nil,
        _ body: @escaping @Sendable (Twice.Payload, TaskContext) async throws -> Twice.Output
    ) -> Worker {
        var handlers = TaskHandlers()
        handlers.register(Twice.self, limits: limits, body)
        return Worker(
            broker.configuration, queues: [Twice.queue], handlers: handlers, options: options, logger: quiet)
    }

    private static func options(slots: Int = 1, beat: Duration = .milliseconds(50)) -> WorkerOptions {
        var options = WorkerOptions()
        options.slots = slots
        options.beat = beat
        options.patience = .milliseconds(100)
        options.retries = ["timeout": .after([.milliseconds(5)], jitter: 0)]
        return options
    }

    /// Returns when its Swift task is cancelled.
    private static func untilCancelled() async throws {
        let cancelled = Gate()
        await withTaskCancellationHandler {
            await cancelled.wait()
        } onCancel: {
            cancelled.open()
        }
        try Task.checkCancellation()
    }

    @Test func aHandlerPastItsHardLimitIsEndedAndRetried() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let seen = Seen<Interruption?>()
        let worker = Self.worker(broker, Self.options(), limits: TimeLimits(hard: .milliseconds(50))) {
            payload, context in
            if context.attempt == 1 {
                do {
                    try await Self.untilCancelled()
                } catch {
                    seen.add(context.interruption)
                    throw error
                }
            }
            return .init(number: context.attempt)
        }
        let running = Task { try await worker.run() }
        let handle = try await client.enqueue(.init(number: 1), as: Twice.self)
        #expect(try await handle.result().number == 2)
        let failures = try await handle.details(history: true).history?.filter { $0.kind != nil } ?? []
        #expect(failures.map(\.kind) == ["timeout"])
        #expect(seen.all == [.hardLimit])
        running.cancel()
        _ = await running.result
        await client.close()
    }

    @Test func aHandlerDeafToItsHardLimitLosesItsSlotAndTooManyOfThemEndTheWorker() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let deaf = Gate()
        var options = Self.options()
        options.limits = TimeLimits(hard: .milliseconds(20))
        options.mostStuckHandlers = 1
        let worker = Self.worker(broker, options) { payload, context in
            if context.attempt == 1 { await deaf.wait() }
            return .init(number: context.attempt)
        }
        let running = Task { try await worker.run() }
        let first = try await client.enqueue(.init(number: 1), as: Twice.self)
        #expect(try await first.result().number == 2, "the only slot went on without the first attempt")
        #expect(worker.health.stuckHandlers == 1)
        let second = try await client.enqueue(.init(number: 2), as: Twice.self)
        try await running.value
        #expect(worker.exit == .stuckHandlers(2))
        #expect(try await second.details().errorKind == "timeout")
        deaf.open()
        while worker.health.stuckHandlers > 0 { await Task.yield() }
        await client.close()
    }

    @Test func theSoftLimitIsToldAndTheHandlerGoesOn() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var options = Self.options()
        options.limits = TimeLimits(soft: .milliseconds(20), hard: .seconds(60))
        let worker = Self.worker(broker, options) { payload, context in
            let told = Gate()
            let before = context.isPastSoftLimit
            context.onSoftLimit { told.open() }
            await told.wait()
            let late = Gate()
            context.onSoftLimit { late.open() }
            await late.wait()
            return .init(number: !before && context.isPastSoftLimit && !Task.isCancelled ? 1 : 0)
        }
        let running = Task { try await worker.run() }
        let handle = try await client.enqueue(.init(number: 1), as: Twice.self)
        #expect(try await handle.result().number == 1)
        running.cancel()
        _ = await running.result
        await client.close()
    }

    @Test func aCancelledTaskReachesItsHandlerWithinOneBeat() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let started = Gate()
        let beat = Duration.seconds(2)
        let worker = Self.worker(broker, Self.options(beat: beat)) { payload, context in
            started.open()
            try await Self.untilCancelled()
            return .init(number: payload.number)
        }
        let running = Task { try await worker.run() }
        let handle = try await client.enqueue(.init(number: 1), as: Twice.self)
        await started.wait()
        let clock = ContinuousClock()
        let cancelled = clock.now
        #expect(try await handle.cancel(reason: "not wanted any more") == .active)
        await #expect {
            try await handle.result()
        } throws: {
            guard case .taskEnded(let task)? = $0 as? MartletError else { return false }
            return task.state == .cancelled
        }
        #expect(clock.now - cancelled < beat + .seconds(1), "one beat and the way there and back")
        running.cancel()
        _ = await running.result
        await client.close()
    }

    @Test func aWorkerIsRecycledAfterItsShareOfTasksOrMemory() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        _ = try await client.enqueue(many: (0..<8).map { .init(number: $0) }, as: Twice.self)
        var options = Self.options(slots: 2)
        options.maxTasks = 5
        let first = Self.worker(broker, options) { payload, _ in payload.doubled }
        try await first.run()
        guard case .tasks(let count) = first.exit else {
            return #expect(Bool(false), "\(String(describing: first.exit))")
        }
        #expect(count == 5)
        // The other slot may have been at one more.
        let left = try await client.queueInfo(Twice.queue)
        #expect(left.active == 0 && (5...6).contains(left.completed) && left.totalFailed == 0)
        options.maxTasks = nil
        options.maxMemory = 1
        let second = Self.worker(broker, options) { payload, _ in payload.doubled }
        try await second.run()
        guard case .memory(let bytes) = second.exit else {
            return #expect(Bool(false), "\(String(describing: second.exit))")
        }
        #expect(bytes > 1_000_000)
        await client.close()
    }

    @Test func quietAndStopReachAWorkerThroughTheBroker() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var options = Self.options()
        options.name = "bob"
        let worker = Self.worker(broker, options) { payload, _ in payload.doubled }
        let running = Task { try await worker.run() }
        #expect(try await client.enqueue(.init(number: 2), as: Twice.self).result().number == 4)
        let known = try await client.worker("bob")
        #expect(known.state == "run" && known.slots == 1 && known.queues == [Twice.queue] && known.pid ?? 0 > 0)
        #expect(try await client.workers().map(\.id) == ["bob"])
        try await client.quietWorker("bob")
        while worker.health.phase != .quiet { await Task.yield() }
        try await client.stopWorker("*")
        try await running.value
        #expect(worker.exit == .stopped)
        await #expect {
            try await client.worker("alice")
        } throws: {
            ($0 as? MartletError)?.code == .error
        }
        await client.close()
    }

    @Test func logLinesAreKeptWithTheTask() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let worker = Self.worker(broker, Self.options()) { payload, context in
            for line in 0..<1_500 { context.logger.info("line \(line)") }
            return payload.doubled
        }
        let running = Task { try await worker.run() }
        let handle = try await client.enqueue(.init(number: 1), as: Twice.self)
        _ = try await handle.result()
        let lines = try await client.logs(handle.id).collect()
        #expect(lines.map(\.line) == (0..<1_500).map { "info line \($0)" })
        #expect(lines.allSatisfy { $0.attempt == 1 })
        running.cancel()
        _ = await running.result
        await client.close()
    }
}

extension Twice.Payload {
    fileprivate var doubled: Twice.Output { Twice.Output(number: number * 2) }
}

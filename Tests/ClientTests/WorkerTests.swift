import Logging
import MartletClient
import ServiceLifecycle
import Testing

/// Workers against the real broker.
@Suite(.timeLimit(.minutes(3)))
struct WorkerTests {
    private static func worker(
        _ configuration: MartletConfiguration, slots: Int = 2, lease: Duration? = nil, grace: Duration = .seconds(20),
        _ body: @escaping @Sendable (Twice.Payload, TaskContext) async throws -> Twice.Output
    ) -> ServiceGroup {
        var handlers = TaskHandlers()
        handlers.register(Twice.self, body)
        var options = WorkerOptions()
        options.slots = slots
        options.lease = lease
        options.grace = grace
        let logger = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        let worker = Worker(
            configuration, queues: [Twice.queue], handlers: handlers, options: options, logger: logger)
        return ServiceGroup(services: [worker], logger: logger)
    }

    /// Runs `service` beside `body` and shuts it down gracefully afterwards.
    private static func with(_ service: ServiceGroup, _ body: () async throws -> Void) async throws {
        let running = Task { try await service.run() }
        do {
            try await body()
        } catch {
            running.cancel()
            throw error
        }
        await service.triggerGracefulShutdown()
        try await running.value
    }

    @Test func aTaskComesBackAsItsTypedResult() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let worker = Self.worker(broker.configuration) { payload, context in
            try await context.progress(50, note: "half")
            return .init(number: payload.number * 2)
        }
        try await Self.with(worker) {
            let handle = try await client.enqueue(.init(number: 21), as: Twice.self)
            #expect(try await handle.result().number == 42)
            let details = try await handle.details()
            #expect(details.state == .completed && details.attempt == 1 && details.progress == 50)
            #expect(details.note == "half")
        }
        await client.close()
    }

    @Test func anErrorFailsTheAttemptWithItsKindAndADeadOneIsNotRetried() async throws {
        struct Broken: Error {}
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let worker = Self.worker(broker.configuration) { payload, context in
            if payload.number == 0 { throw TaskFailure.dead("never again", kind: "poison") }
            if payload.number == 1, context.attempt == 1 { throw TaskFailure("busy", retryAfter: .milliseconds(5)) }
            if payload.number == 2 { throw Broken() }
            return .init(number: context.attempt)
        }
        try await Self.with(worker) {
            let dead = try await client.enqueue(.init(number: 0), as: Twice.self)
            let retried = try await client.enqueue(.init(number: 1), as: Twice.self)
            var once = TaskOptions()
            once.retries = 0
            let broken = try await client.enqueue(.init(number: 2), as: Twice.self, options: once)
            let other = try await client.enqueue(bytes: [], type: "other", queue: Twice.queue, options: once)
            let unknown = client.handle(other, as: Twice.self)
            #expect(try await retried.result().number == 2)
            for (handle, kind) in [(dead, "poison"), (broken, "Broken"), (unknown, "unknown_type")] {
                await #expect {
                    try await handle.result()
                } throws: {
                    guard case .taskEnded(let task)? = $0 as? MartletError else { return false }
                    return task.state == .dead && task.kind == kind
                }
            }
        }
        await client.close()
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func cutConnectionsNeitherLoseNorRepeatWork(seed: UInt64) async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let handles = try await client.enqueue(many: (0..<400).map { .init(number: $0) }, as: Twice.self)
        let proxy = try await CuttingProxy(target: broker.port, seed: seed, budget: 900...9_000)
        let runs = Runs()
        let worker = Self.worker(proxy.configuration, slots: 4) { payload, context in
            runs.add(payload.number, attempt: context.attempt)
            return .init(number: payload.number * 2)
        }
        try await Self.with(worker) {
            for (number, handle) in handles.enumerated() {
                #expect(try await handle.result().number == number * 2)
            }
            #expect(try await proxy.cutCount >= 20, "the proxy has to have cut something")
            try await proxy.heal()
        }
        #expect(runs.all.map(\.number).sorted() == Array(0..<400))
        #expect(runs.all.allSatisfy { $0.attempt == 1 })
        let queue = try await client.queueInfo(Twice.queue)
        #expect(queue.totalCompleted == 400 && queue.totalFailed == 0 && queue.active == 0)
        await client.close()
    }

    @Test func aGracefulShutdownFinishesWhatRunsAndTakesNothingNew() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let (started, done) = (Gate(), Gate())
        let worker = Self.worker(broker.configuration, slots: 1) { payload, _ in
            started.open()
            // Opened only by the shutdown below.
            await withGracefulShutdownHandler {
                await done.wait()
            } onGracefulShutdown: {
                done.open()
            }
            return .init(number: payload.number)
        }
        let handles = try await client.enqueue(many: [.init(number: 1), .init(number: 2)], as: Twice.self)
        let running = Task { try await worker.run() }
        await started.wait()
        await worker.triggerGracefulShutdown()
        try await running.value
        #expect(try await handles[0].details().state == .completed)
        let second = try await handles[1].details()
        #expect(second.state == .pending && second.attempt == 0)
        await client.close()
    }

    @Test(arguments: [false, true])
    func whatOutlivesTheGracePeriodIsGivenBackUncounted(byCancellation: Bool) async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let (started, done) = (Gate(), Gate())
        let worker = Self.worker(broker.configuration, slots: 3, grace: .milliseconds(50)) { payload, _ in
            started.open()
            await done.wait()
            return .init(number: payload.number)
        }
        let handle = try await client.enqueue(.init(number: 1), as: Twice.self)
        let running = Task { try await worker.run() }
        await started.wait()
        if byCancellation { running.cancel() } else { await worker.triggerGracefulShutdown() }
        _ = await running.result
        let details = try await handle.details()
        #expect(details.state == .pending && details.attempt == 0)
        let queue = try await client.queueInfo(Twice.queue)
        #expect(queue.active == 0 && queue.totalFailed == 0)
        done.open()
        await client.close()
    }

    @Test func aShutdownEndsAWorkerThatWaitsForTasksAtOnce() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let worker = Self.worker(broker.configuration) { payload, _ in .init(number: payload.number) }
        let running = Task { try await worker.run() }
        _ = try await client.enqueue(.init(number: 1), as: Twice.self).result()
        let clock = ContinuousClock()
        let start = clock.now
        await worker.triggerGracefulShutdown()
        try await running.value
        #expect(clock.now - start < .seconds(30), "it must not sit out its BLOCK of a minute")
        let late = try await client.enqueue(.init(number: 2), as: Twice.self)
        #expect(try await late.details().state == .pending)
        await client.close()
    }

    @Test func aHandlerLongerThanItsLeaseKeepsTheTask() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let runs = Runs()
        let worker = Self.worker(broker.configuration, slots: 2, lease: .seconds(6)) { payload, context in
            runs.add(payload.number, attempt: context.attempt)
            guard let first = try await client.task(context.id).deadline else { return .init(number: 0) }
            // Until the lease has been extended past twice its first end.
            while let deadline = try await client.task(context.id).deadline, deadline < first + 12_000 {}
            return .init(number: payload.number)
        }
        try await Self.with(worker) {
            let handle = try await client.enqueue(.init(number: 5), as: Twice.self)
            #expect(try await handle.result().number == 5)
        }
        #expect(runs.all.count == 1)
        #expect(try await client.queueInfo(Twice.queue).totalFailed == 0)
        await client.close()
    }
}

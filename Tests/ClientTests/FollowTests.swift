import Logging
import MartletClient
import Testing

/// Tasks that wait for others, tasks that follow from others, and the choice among queues, against the real broker.
@Suite(.timeLimit(.minutes(2)))
struct FollowTests {
    private static func worker(
        _ configuration: MartletConfiguration, _ queues: [String] = [Twice.queue], _ choice: QueueChoice = .strict,
        slots: Int = 1, _ body: @escaping @Sendable (Twice.Payload, TaskContext) async throws -> Twice.Output
    ) -> Worker {
        var handlers = TaskHandlers()
        handlers.register(Twice.self, body)
        var options = WorkerOptions()
        options.slots = slots
        options.choice = choice
        let logger = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        return Worker(configuration, queues: queues, handlers: handlers, options: options, logger: logger)
    }

    /// Runs `worker` beside `body`.
    private static func with(_ worker: Worker, _ body: () async throws -> Void) async throws {
        let running = Task { try await worker.run() }
        defer { running.cancel() }
        try await body()
        running.cancel()
        try await running.value
    }

    @Test func aTaskWaitsForOthers() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let first = try await client.enqueue(many: [.init(number: 1), .init(number: 2)], as: Twice.self)
        var urgent = TaskOptions()
        urgent.priority = 10
        let last = try await client.enqueue(
            .init(number: 3), as: Twice.self, options: urgent, after: After(first.map(\.id)))
        let more = try await client.enqueue(
            many: [.init(number: 4)], as: Twice.self, options: urgent, after: After([last.id]))
        #expect(try await last.details().state == .blocked)
        let why = try await last.why()
        #expect(why.reason == .after && why.detail.contains("\(first[0].id)"))
        let runs = Runs()
        try await Self.with(
            Self.worker(broker.configuration) { payload, context in
                runs.add(payload.number, attempt: context.attempt)
                return .init(number: payload.number)
            }
        ) {
            let result = try await more[0].result()
            #expect(result.number == 4)
        }
        #expect(runs.all.map(\.number) == [1, 2, 3, 4])
        await client.close()
    }

    @Test(arguments: [(After.OnDead.wait, TaskState.blocked), (.cancel, .cancelled), (.run, .pending)])
    func aDeadDependencyFollowsThePolicy(onDead: After.OnDead, state: TaskState) async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let first = try await client.enqueue(.init(number: 1), as: Twice.self)
        let last = try await client.enqueue(
            .init(number: 2), as: Twice.self, after: After([first.id], onDead: onDead))
        try await first.cancel()
        #expect(try await last.details().state == state)
        await #expect {
            try await client.enqueue(
                .init(number: 3), as: Twice.self, after: After([TaskID(sequence: 1, check: 1)]))
        } throws: {
            ($0 as? MartletError)?.code == .noTask
        }
        await client.close()
    }

    @Test func whatFollowsIsAddedByTheAttemptThatCompletesAlone() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let runs = Runs()
        let worker = Self.worker(broker.configuration) { payload, context in
            runs.add(payload.number, attempt: context.attempt)
            guard payload.number == 1 else { return .init(number: payload.number) }
            try context.then(.init(number: 2), as: Twice.self, unique: UniqueKey("two"))
            var low = TaskOptions()
            low.priority = 1
            low.addTags("child")
            try context.then(.init(number: 3), as: Twice.self, options: low, after: After([context.id]))
            if context.attempt == 1 { throw TaskFailure("not yet", retryAfter: .milliseconds(1)) }
            return .init(number: 1)
        }
        try await Self.with(worker) {
            let parent = try await client.enqueue(.init(number: 1), as: Twice.self)
            #expect(try await parent.result().number == 1)
            var children = TaskQuery(queue: Twice.queue)
            children.tag = "child"
            let child = try #require(try await client.tasks(children).collect().first)
            #expect(try await client.handle(child.id, as: Twice.self).result().number == 3)
        }
        #expect(runs.all.map(\.number) == [1, 1, 2, 3])
        #expect(try await client.queueInfo(Twice.queue).totalAdded == 3)
        await client.close()
    }

    @Test func whatMayNotFollowFailsTheAttempt() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.pauseQueue("full", .in)
        let kept = Seen<TaskContext>()
        let worker = Self.worker(broker.configuration) { payload, context in
            kept.add(context)
            switch payload.number {
            case 1: try context.then(.init(number: 9), as: Twice.self, queue: "full")
            case 2: try context.then(.init(number: 9), as: Twice.self, after: After([TaskID(sequence: 1, check: 1)]))
            default:
                for number in 0...1_000 { try context.then(.init(number: number), as: Twice.self, queue: "many") }
            }
            return .init(number: 0)
        }
        var once = TaskOptions()
        once.retries = 0
        try await Self.with(worker) {
            for (number, kind, word) in [
                (1, "follow_up_refused", "PAUSED"), (2, "follow_up_refused", "NOTASK"),
                (3, "MartletError", "1000 tasks"),
            ] {
                let task = try await client.enqueue(.init(number: number), as: Twice.self, options: once)
                await #expect {
                    try await task.result()
                } throws: {
                    guard case .taskEnded(let end)? = $0 as? MartletError else { return false }
                    return end.state == .dead && end.kind == kind && end.message?.contains(word) == true
                }
            }
        }
        #expect(try await client.queues().map(\.totalAdded).reduce(0, +) == 3)
        // Afterwards nothing follows any more.
        #expect(throws: MartletError.self) { try kept.all[0].then(.init(number: 9), as: Twice.self) }
        await client.close()
    }

    @Test func tasksOfAKeyRunOneAtATime() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var options = TaskOptions()
        options.setOrder("customer 7")
        let tasks = try await client.enqueue(
            many: (0..<40).map { .init(number: $0) }, as: Twice.self, options: options)
        let last = try await tasks[39].details()
        #expect(last.state == .blocked && last.order == "customer 7")
        let runs = Runs()
        let running = Seen<Int>()
        let worker = Self.worker(broker.configuration, slots: 4) { payload, context in
            running.add(1)
            defer { running.add(-1) }
            runs.add(payload.number, attempt: context.attempt)
            if payload.number == 5, context.attempt == 1 { throw TaskFailure("again", retryAfter: .milliseconds(1)) }
            for _ in 0..<100 { await Task.yield() }
            return .init(number: payload.number)
        }
        try await Self.with(worker) { _ = try await tasks[39].result() }
        #expect(runs.all.map(\.number) == Array(0..<6) + Array(5..<40))
        #expect(running.all == (0..<82).map { $0 % 2 == 0 ? 1 : -1 })
        await client.close()
    }

    @Test func groupsHaveSlotsAndTakeTurns() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setQueue(Twice.queue, .groupConcurrency(1), .fair(true))
        let set = try await client.queueOptions(Twice.queue)
        #expect(set["GROUPCONCURRENCY"] == "1" && set["FAIR"] == "on")
        for group in ["a", "b"] {
            var options = TaskOptions()
            options.setGroup(group)
            _ = try await client.enqueue(
                many: (0..<20).map { .init(number: $0) }, as: Twice.self, options: options)
        }
        let running = Seen<(group: String, change: Int)>()
        let worker = Self.worker(broker.configuration, slots: 4) { payload, context in
            let group = try await client.task(context.id).group ?? ""
            running.add((group, 1))
            defer { running.add((group, -1)) }
            for _ in 0..<50 { await Task.yield() }
            return .init(number: payload.number)
        }
        try await Self.with(worker) {
            let isDrained = try await client.drainQueue(Twice.queue, wait: .seconds(60))
            #expect(isDrained)
        }
        for group in ["a", "b"] {
            #expect(running.all.filter { $0.group == group }.map(\.change) == (0..<40).map { $0 % 2 == 0 ? 1 : -1 })
        }
        await client.close()
    }

    @Test func whatHoldsATaskIsCalledByItsName() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("spent", .rate(1, per: .seconds(3_600)))
        _ = try await client.take("spent")
        try await client.setBreaker("open", BreakerRule(failures: 1, per: .seconds(1)))
        try await client.tripBreaker("open")
        let held: [(QueueOption?, TaskWait.Reason, (inout TaskOptions) -> Void)] = [
            (nil, .limit, { $0.addLimit("spent") }), (nil, .scheduled, { $0.due = .after(.seconds(600)) }),
            (.limit("spent"), .queueLimit, { _ in }), (.breaker("open"), .breaker, { _ in }),
            (.concurrency(1), .concurrency, { _ in }), (.groupConcurrency(1), .groupConcurrency, { $0.setGroup("g") }),
            (nil, .order, { $0.setOrder("k") }),
        ]
        for (option, reason, change) in held {
            let queue = reason.rawValue
            if let option { try await client.setQueue(queue, option) }
            var options = TaskOptions()
            change(&options)
            let tasks = try await client.enqueue(
                many: [.init(number: 1), .init(number: 2)], as: Twice.self, queue: queue, options: options)
            let reply = try await client.send(RESPCommand("TASK.RESERVE", "1", .text(queue)))
            let taken = reply.elements?.first?["id"]?.text
            #expect(taken == ([.limit, .scheduled, .queueLimit, .breaker].contains(reason) ? nil : "\(tasks[0].id)"))
            #expect(try await client.why(tasks[1].id).reason == reason)
            if taken != nil { #expect(try await client.why(tasks[0].id).reason == .running) }
        }
        await client.close()
    }

    @Test func aTaskWaitsForItsLimits() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("api", .rate(2, per: .seconds(3_600)))
        var paid = TaskOptions()
        paid.addLimit("api", cost: 2)
        paid.priority = 10
        let tasks = try await client.enqueue(many: [.init(number: 1), .init(number: 2)], as: Twice.self, options: paid)
        let free = try await client.enqueue(.init(number: 3), as: Twice.self)
        let worker = Self.worker(broker.configuration) { payload, _ in .init(number: 2 * payload.number) }
        try await Self.with(worker) {
            #expect(try await tasks[0].result().number == 2)
            #expect(try await free.result().number == 6)
            let wait = try await client.why(tasks[1].id)
            #expect(wait.reason == .limit && wait.until != nil)
            try await client.setLimit("api", .rate(1_000, per: .seconds(1)))
            #expect(try await tasks[1].result().number == 4)
        }
        await #expect {
            var unknown = TaskOptions()
            unknown.addLimit("nothing")
            _ = try await client.enqueue(.init(number: 1), as: Twice.self, options: unknown)
        } throws: {
            ($0 as? MartletError)?.code == .error
        }
        await client.close()
    }

    @Test(arguments: [3, 4] as [UInt64])
    func whatFollowsIsAddedOnceHoweverOftenConnectionsAreCut(seed: UInt64) async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let proxy = try await CuttingProxy(target: broker.port, seed: seed, budget: 900...9_000)
        let worker = Self.worker(MartletConfiguration(port: proxy.port), slots: 3) { payload, context in
            if payload.number > 0 {
                try context.then(.init(number: -payload.number), as: Twice.self, queue: "children")
            }
            return .init(number: payload.number)
        }
        let parents = try await client.enqueue(many: (1...150).map { .init(number: $0) }, as: Twice.self)
        try await Self.with(worker) {
            for parent in parents { _ = try await parent.result() }
            try await proxy.heal()
        }
        #expect(try await proxy.cutCount > 10)
        #expect(try await client.queueInfo("children").totalAdded == parents.count)
        await client.close()
    }

    @Test(arguments: [
        (QueueChoice.strict, "bbbbaaaa"), (.ordered, "aaaabbbb"),
    ])
    func aWorkerChoosesAmongItsQueues(choice: QueueChoice, order: String) async throws {
        #expect(try await Self.order(choice, each: 4) == order)
    }

    @Test func weightsShareTheTurns() async throws {
        let order = try await Self.order(.weighted([3, 1]), each: 40)
        // Three of four go to the first while both have tasks.
        #expect((28...32).contains(order.prefix(40).count { $0 == "a" }), "\(order)")
    }

    /// The queues in the order in which the tasks of two of them ran; those of the second are more urgent.
    private static func order(_ choice: QueueChoice, each: Int) async throws -> String {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let ran = Seen<String>()
        let all = Gate()
        for (queue, priority) in [("a", 1), ("b", 9)] {
            var options = TaskOptions()
            options.priority = priority
            _ = try await client.enqueue(
                many: (0..<each).map { .init(number: $0) }, as: Twice.self, queue: queue, options: options)
        }
        let worker = worker(broker.configuration, ["a", "b"], choice) { payload, context in
            ran.add(context.queue)
            if ran.all.count == 2 * each { all.open() }
            return .init(number: 0)
        }
        try await with(worker) { await all.wait() }
        await client.close()
        return ran.all.joined()
    }
}

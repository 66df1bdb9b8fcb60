import Logging
import MartletClient
import Testing

/// What stands around a handler, against the real broker.
@Suite(.timeLimit(.minutes(2)))
struct AroundTests {
    private static func working<Value>(
        _ broker: BrokerProcess, _ handlers: TaskHandlers, _ options: WorkerOptions = .init(),
        _ body: () async throws -> Value
    ) async throws -> Value {
        var logger = Logger(label: "quiet") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        let worker = Worker(
            broker.configuration, queues: [Twice.queue], handlers: handlers, options: options, logger: logger)
        let running = Task { try await worker.run() }
        defer { running.cancel() }
        let value = try await body()
        running.cancel()
        _ = await running.result
        return value
    }

    /// By then all that the beat before told has been done.
    private static func waitForABeat(_ client: MartletClient) async throws {
        let last = try await client.workers().map(\.lastBeat)
        while try await client.workers().map(\.lastBeat) == last { await Task.yield() }
    }

    @Test func middlewareAndLogLinesOfAHandlerReachTheTask() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let seen = Seen<String>()
        var handlers = TaskHandlers()
        handlers.use { payload, context, next in
            seen.add("outer \(context.meta["tenant"] ?? "") \(context.tags)")
            return try await next(payload, context)
        }
        handlers.use { payload, context, next in
            seen.add("inner")
            return try await next(payload + Bytes("!".utf8), context) + Bytes("?".utf8)
        }
        handlers.register(type: "echo") { payload, context in
            context.logger.info("heard", metadata: ["bytes": "\(payload.count)"])
            Logger.current.warning("from afar")
            context.logger.debug("not kept")
            return payload
        }
        var options = TaskOptions()
        options.addTags("red")
        options.addMeta(["tenant": "seven"])
        let id = try await client.enqueue(bytes: Bytes("a".utf8), type: "echo", queue: Twice.queue, options: options)
        let result = try await Self.working(broker, handlers) { try await client.handle(id).result() }
        #expect(result == Bytes("a!?".utf8))
        #expect(seen.all == [#"outer seven ["red"]"#, "inner"])
        let lines = try await client.logs(id).collect()
        #expect(lines.map(\.line) == ["info heard bytes=2", "warning from afar"])
        #expect(lines.allSatisfy { $0.attempt == 1 && $0.at > 0 })
        await client.close()
    }

    @Test func aTableSaysByKindWhenAnAttemptIsMadeAgain() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var handlers = TaskHandlers()
        handlers.register(Twice.self) { payload, context in
            switch payload.number {
            case 1: throw TaskFailure("later", kind: "busy")
            case 2: throw TaskFailure("never", kind: "poison")
            case 3: throw TaskFailure("when it says", kind: "busy", retryAfter: .seconds(70))
            default: throw TaskFailure("as the task says", kind: "other")
            }
        }
        var options = WorkerOptions()
        options.retries = ["busy": .after([.seconds(700), .seconds(900)], jitter: 0), "poison": .dead]
        var own = TaskOptions()
        own.backoff = .fixed(.seconds(7_000))
        own.jitter = 0
        let tasks = try await client.enqueue(many: (1...4).map { .init(number: $0) }, as: Twice.self, options: own)
        let details = try await Self.working(broker, handlers, options) {
            for number in [0, 2, 3] {
                while try await tasks[number].details().state != .scheduled { await Task.yield() }
            }
            await #expect(throws: MartletError.self) { try await tasks[1].result() }
            return try await client.tasks(TaskQuery(queue: Twice.queue)).collect()
        }
        let delays = details.map { ($0.runAt - ($0.startedAt ?? 0)) / 1_000 }
        #expect([0, 2, 3].map { delays[$0] } == [700, 70, 7_000])
        #expect(details[1].state == .dead && details[1].errorKind == "poison")
        await client.close()
    }

    @Test func whoeverLostItsLeaseIsToldAndItsOutcomeDropped() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let (begun, ended) = (Gate(), Gate())
        let (entered, seen) = (Seen<Int>(), Seen<Interruption?>())
        var handlers = TaskHandlers()
        handlers.register(Twice.self) { payload, context in
            entered.add(context.attempt)
            // The worker's other slot gets the task; the first attempt's end is none of its business.
            guard entered.all.count == 1 else {
                await ended.wait()
                try await Self.waitForABeat(client)
                try Task.checkCancellation()
                return .init(number: payload.number * 2)
            }
            let cancelled = Gate()
            begun.open()
            await withTaskCancellationHandler {
                await cancelled.wait()
            } onCancel: {
                cancelled.open()
            }
            seen.add(context.interruption)
            ended.open()
            return .init(number: -1)
        }
        var options = WorkerOptions()
        options.slots = 2
        options.beat = .milliseconds(50)
        let handle = try await client.enqueue(.init(number: 4), as: Twice.self)
        let number = try await Self.working(broker, handlers, options) {
            await begun.wait()
            // Somebody else gives it back under its token.
            let token = try #require(try await handle.details().token)
            _ = try await client.send(RESPCommand("TASK.RELEASE", .bytes(handle.id.text), .integer(token)))
            return try await handle.result().number
        }
        #expect(number == 8 && seen.all == [.leaseLost])
        #expect(entered.all == [1, 1], "a release does not count")
        await client.close()
    }
}

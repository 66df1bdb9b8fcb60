import Logging
import MartletClient
import Testing

/// Waiting for results, against the real broker.
@Suite(.timeLimit(.minutes(3)))
struct ResultTests {
    private static func worker(
        _ broker: BrokerProcess, _ body: @escaping @Sendable (Twice.Payload, TaskContext) async throws -> Twice.Output
    ) -> Task<Void, any Error> {
        var handlers = TaskHandlers()
        handlers.register(Twice.self, body)
        let logger = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        let worker = Worker(broker.configuration, queues: [Twice.queue], handlers: handlers, logger: logger)
        return Task { try await worker.run() }
    }

    @Test func manyWaitersGetTheirOwnResults() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let handles = try await client.enqueue(many: (0..<300).map { .init(number: $0) }, as: Twice.self)
        let go = Gate()
        let worker = Self.worker(broker) { payload, _ in
            await go.wait()
            return .init(number: payload.number * 2)
        }
        let numbers = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
            for (number, handle) in handles.enumerated() {
                group.addTask { (number, try await handle.result().number) }
            }
            // Everything else goes on while they wait.
            #expect(try await client.queueInfo(Twice.queue).totalAdded == 300)
            go.open()
            return try await group.reduce(into: [(Int, Int)]()) { $0.append($1) }
        }
        #expect(numbers.count == 300 && numbers.allSatisfy { $0.1 == $0.0 * 2 })
        worker.cancel()
        _ = await worker.result
        await client.close()
    }

    @Test(arguments: [1, 30])
    func aWaitEndsWithItsLimitItsSwiftTaskOrTheClient(waiters: Int) async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let handle = try await client.enqueue(.init(number: 1), as: Twice.self)
        let waiting = (0..<waiters).map { _ in Task { try await handle.result() } }
        await #expect {
            try await handle.result(within: .milliseconds(300))
        } throws: {
            if case .timedOut? = $0 as? MartletError { true } else { false }
        }
        waiting[0].cancel()
        await #expect {
            try await waiting[0].value
        } throws: {
            if case .cancelled? = $0 as? MartletError { true } else { false }
        }
        await client.close()
        for task in waiting.dropFirst() {
            await #expect {
                try await task.value
            } throws: {
                if case .closed? = $0 as? MartletError { true } else { false }
            }
        }
    }

    @Test func aWaitSurvivesTheBroker() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let handle = try await client.enqueue(.init(number: 4), as: Twice.self)
        let waiting = Task { try await handle.result() }
        // Answered behind the wait's own greeting or before: either way it has to connect again.
        try await client.connect()
        try broker.crashAndRestart()
        let worker = Self.worker(broker) { payload, _ in .init(number: payload.number * 2) }
        #expect(try await waiting.value.number == 8)
        worker.cancel()
        _ = await worker.result
        await client.close()
    }

    @Test func aTaskThatIsNotThereHasNoResult() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let handle = client.handle(TaskID(sequence: 1, check: 1), as: Twice.self)
        await #expect {
            try await handle.result()
        } throws: {
            ($0 as? MartletError)?.code == .noTask
        }
        await client.close()
    }
}

import Logging
import MartletClient
import Testing

/// Batches, against the real broker.
@Suite(.timeLimit(.minutes(1)))
struct BatchTests {
    @Test func whatFollowsIsAddedWhenAllHaveEnded() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let batch = try await client.newBatch(
            onSuccess: [BatchFollower(.init(number: 100), as: Twice.self, queue: "after")],
            onEnd: [BatchFollower(bytes: [1, 2], type: "any", queue: "ended")])
        let first = try await client.enqueue(.init(number: 1), as: Twice.self, batch: batch)
        _ = try await client.enqueue(many: [.init(number: 2), .init(number: 3)], as: Twice.self, batch: batch)
        let open = try await client.batch(batch.id).details()
        #expect(open.state == .open && !open.isSealed && open.total == 3 && open.pending == 3)
        try await batch.seal()
        #expect(try await batch.details().state == .running)
        await #expect(throws: MartletError.self) {
            try await client.enqueue(.init(number: 4), as: Twice.self, batch: batch)
        }
        let worker = Self.worker(broker.configuration, [Twice.queue]) { payload, context in
            if payload.number == 1, context.attempt == 1 { throw TaskFailure("once more", retryAfter: .zero) }
            return .init(number: payload.number)
        }
        let running = Task { try await worker.run() }
        _ = try await first.result()
        while try await batch.details().state == .running {}
        running.cancel()
        _ = await running.result
        let ended = try await batch.details()
        #expect(ended.state == .succeeded && ended.completed == 3 && ended.failed == 0 && ended.pending == 0)
        #expect(try await client.queueInfo("after").totalAdded == 1)
        #expect(try await client.queueInfo("ended").totalAdded == 1)
        await client.close()
    }

    @Test func aTaskBringsOthersIntoItsBatchAndCancellingEndsThemAll() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let batch = try await client.newBatch()
        let worker = Self.worker(broker.configuration, [Twice.queue]) { payload, context in
            var later = TaskOptions()
            later.due = .after(600_000)
            try context.then(.init(number: 2), as: Twice.self, options: later, batch: batch)
            return .init(number: payload.number)
        }
        let running = Task { try await worker.run() }
        _ = try await client.enqueue(.init(number: 1), as: Twice.self, batch: batch).result()
        running.cancel()
        _ = await running.result
        try broker.crashAndRestart()
        let details = try await batch.details()
        #expect(details.total == 2 && details.completed == 1 && details.pending == 1 && details.state == .open)
        try await batch.cancel()
        #expect(try await batch.details().state == .cancelled)
        #expect(try await client.queueInfo(Twice.queue).cancelled == 1)
        await #expect {
            try await client.batch("nothing").details()
        } throws: {
            ($0 as? MartletError)?.code == .error
        }
        await client.close()
    }

    private static func worker(
        _ configuration: MartletConfiguration, _ queues: [String],
        _ body: @escaping @Sendable (Twice.Payload, TaskContext) async throws -> Twice.Output
    ) -> Worker {
        var handlers = TaskHandlers()
        handlers.register(Twice.self, body)
        let logger = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        return Worker(configuration, queues: queues, handlers: handlers, logger: logger)
    }
}

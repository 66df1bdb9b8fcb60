import InMemoryTracing
import Logging
import MartletClient
import MetricsTestKit
import Metrics
import Testing
import Tracing

/// Traces and metrics. The systems are the process's own, so all of it is one test.
@Suite(.timeLimit(.minutes(1)))
struct ObservingTests {
    @Test func aTraceGoesFromProducerToHandlerAndMetricsAreCounted() async throws {
        let tracer = InMemoryTracer()
        InstrumentationSystem.bootstrap(tracer)
        let metrics = TestMetrics()
        MetricsSystem.bootstrap(metrics)
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        var handlers = TaskHandlers()
        handlers.register(Twice.self) { payload, context in
            if context.attempt == 1 { throw TaskFailure("once", retryAfter: .milliseconds(1)) }
            return .init(number: payload.number * 2)
        }
        let logger = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        let worker = Worker(broker.configuration, queues: ["traced"], handlers: handlers, logger: logger)
        let running = Task { try await worker.run() }
        let handle = try await withSpan("request") { _ in
            var options = TaskOptions()
            options.addMeta(["tenant": "seven"])
            return try await client.enqueue(.init(number: 1), as: Twice.self, queue: "traced", options: options)
        }
        #expect(try await handle.result().number == 2)
        running.cancel()
        _ = await running.result
        let spans = tracer.finishedSpans
        let request = try #require(spans.first { $0.operationName == "request" })
        let publish = try #require(spans.first { $0.operationName == "traced publish" })
        let process = spans.filter { $0.operationName == "traced process" }
        #expect(publish.spanContext.parentSpanID == request.spanContext.spanID)
        #expect(process.count == 2 && process.allSatisfy { $0.spanContext.parentSpanID == publish.spanContext.spanID })
        #expect(process.allSatisfy { $0.spanContext.traceID == request.spanContext.traceID })
        #expect(process.count { !$0.errors.isEmpty } == 1)
        #expect(try await handle.details().meta["tenant"] == "seven")
        let dimensions = [("queue", "traced"), ("type", "twice")]
        #expect(metrics.counterTotal(label: "martlet_client_enqueued_total", dimensions: dimensions) == 1)
        for outcome in ["completed", "failed"] {
            let counted = dimensions + [("outcome", outcome)]
            #expect(metrics.counterTotal(label: "martlet_worker_tasks_total", dimensions: counted) == 1)
        }
        #expect(try metrics.expectTimer("martlet_worker_task_duration", dimensions).values.count == 2)
        await client.close()
    }
}

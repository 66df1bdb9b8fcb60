import Logging
import MartletProtocol
import Tracing

/// Traces across the broker: the producer's trace context travels in the task's META.
enum TaskTracing {
    /// Most META fields one trace context may add.
    static let mostFields = 16

    /// Submits tasks in a span of their own, whose context goes into their META.
    static func publishing<Value>(
        to queue: String, _ options: TaskOptions, _ body: (TaskOptions) async throws(MartletError) -> Value
    ) async throws(MartletError) -> Value {
        let span = startSpan("\(queue) publish", ofKind: .producer)
        defer { span.end() }
        span.attributes["messaging.system"] = "martlet"
        span.attributes["messaging.destination.name"] = queue
        do {
            return try await body(traced(options, span.context))
        } catch {
            span.recordError(error)
            throw error
        }
    }

    /// `options` with a trace context in their META: that of the present Swift task, unless another is given.
    static func traced(_ options: TaskOptions, _ context: ServiceContext? = .current) -> TaskOptions {
        guard let context else { return options }
        var carrier: [String: String] = [:]
        InstrumentationSystem.instrument.inject(context, into: &carrier, using: Fields())
        var traced = options
        traced.addMeta(carrier.filter { $0.value.utf8.count <= Limits.metaValue })
        // A trace must not be why a task is refused.
        return carrier.count > mostFields || traced.meta.count > Int(Limits.metaFields.upperBound) ? options : traced
    }

    /// Runs a handler in a span that continues the producer's trace, with its logger as `Logger.current`.
    static func run(
        _ task: TaskContext, worker: String, _ body: () async throws -> Bytes
    ) async throws -> Bytes {
        var context = ServiceContext.topLevel
        InstrumentationSystem.instrument.extract(task.meta, into: &context, using: Fields())
        return try await withLogger(task.logger) { _ in
            try await withSpan("\(task.queue) process", context: context, ofKind: .consumer) { span in
                span.attributes["messaging.system"] = "martlet"
                span.attributes["messaging.destination.name"] = task.queue
                span.attributes["messaging.message.id"] = "\(task.id)"
                span.attributes["martlet.task.type"] = task.type
                span.attributes["martlet.task.attempt"] = task.attempt
                span.attributes["martlet.worker"] = worker
                return try await body()
            }
        }
    }

    private struct Fields: Injector, Extractor {
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) {
            carrier[key] = value
        }

        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
    }
}

import Logging
import MartletClient

extension Snippets {
    struct Answer: Sendable {
        var status: Int
        var retryAfter: String?
        var body: String
    }

    static func failing(
        _ fetch: @escaping @Sendable (String) async throws -> Answer
    ) -> (TaskHandlers, WorkerOptions) {
        var handlers = TaskHandlers()
        var options = WorkerOptions()
        handlers.register(Resize.self, limits: TimeLimits(soft: .seconds(20), hard: .seconds(30))) { payload, context in
            guard payload.width > 0 else { throw TaskFailure.dead("no width", kind: "invalid_width") }
            let answer = try await fetch(payload.image)
            guard answer.status == 200 else {
                throw TaskFailure.http(status: answer.status, retryAfter: answer.retryAfter)
            }
            return Resize.Output(path: answer.body)
        }

        options.retries = .remoteServices
        options.retries["DiskFull"] = .after([.seconds(30), .seconds(300)])
        options.retries["invalid_payload"] = .dead

        let minute = TimeLimits(soft: .seconds(50), hard: .seconds(60))
        handlers.register(type: "crawl", limits: minute) { payload, context in
            var pages = 0
            while !context.isPastSoftLimit, pages < 1_000 {
                try Task.checkCancellation()
                pages += 1
            }
            return Bytes("\(pages)".utf8)
        }
        return (handlers, options)
    }

    static func logging() -> TaskHandlers {
        var handlers = TaskHandlers()
        handlers.register(Resize.self) { payload, context in
            context.logger.info("resizing", metadata: ["image": "\(payload.image)"])
            return Resize.Output(path: "small-" + payload.image)
        }
        return handlers
    }
}

import Logging
import MartletClient
import ServiceLifecycle
import UnixSignals

// The code of the documentation, as it stands there; `SnippetTests` compares and runs it.

enum Resize: TaskDefinition {
    struct Payload: Codable, Sendable { var image: String; var width: Int }
    struct Output: Codable, Sendable { var path: String }
    static let type = "resize"
    static let queue = "images"
}

enum Snippets {
    static func first(_ broker: MartletConfiguration) async throws {
        let client = MartletClient(broker)
        let task = try await client.enqueue(.init(image: "a.png", width: 80), as: Resize.self)
        print(try await task.result().path)
        await client.close()
    }

    static func submit(_ client: MartletClient) async throws {
        var options = TaskOptions()
        options.priority = 8
        options.due = .after(.seconds(60))
        options.retries = 5
        options.backoff = .exponential(base: .seconds(1), cap: .seconds(60))
        options.addTags("thumbnails")
        options.addMeta(["tenant": "seven"])
        let later = try await client.enqueue(.init(image: "b.png", width: 80), as: Resize.self, options: options)

        let payloads = (1...2_000).map { Resize.Payload(image: "\($0).png", width: 80) }
        let tasks = try await client.enqueue(many: payloads, as: Resize.self)

        let order = try await client.enqueue(.init(image: "c.png", width: 80), as: Resize.self, nonce: "order 17")

        let only = try await client.enqueue(
            .init(image: "d.png", width: 80), as: Resize.self, unique: UniqueKey("d.png", for: .seconds(3_600)))
        if only.isNew == false { print("somebody has asked for that before: \(only.id)") }

        var placed = TaskOptions()
        placed.setGroup("customer-7")
        placed.setOrder("album-17")
        let page = try await client.enqueue(.init(image: "e.png", width: 80), as: Resize.self, options: placed)

        do throws(MartletError) {
            print(try await later.result(within: .seconds(1)).path)
        } catch .timedOut {
            print("it has not ended yet")
        } catch {
            print("there will be no result: \(error)")
        }
        let north = try await client.enqueue(.init(image: "north.png", width: 80), as: Resize.self)
        let south = try await client.enqueue(.init(image: "south.png", width: 80), as: Resize.self)
        let both = try await client.enqueue(
            .init(image: "both.png", width: 80), as: Resize.self, after: After([north.id, south.id], onDead: .cancel))
        _ = (tasks, order, page, both)
    }

    static func handlers() -> TaskHandlers {
        var handlers = TaskHandlers()
        handlers.register(Resize.self) { payload, context in
            try await context.progress(50, note: payload.image)
            return Resize.Output(path: "small-" + payload.image)
        }
        handlers.use { payload, context, next in
            guard payload.count < 1_000_000 else { throw TaskFailure.dead("too large", kind: "too_large") }
            return try await next(payload, context)
        }
        handlers.register(type: "album", limits: nil) { payload, context in
            for image in payload.split(separator: 10) {
                try context.then(
                    .init(image: String(decoding: image, as: UTF8.self), width: 80), as: Resize.self)
            }
            return []
        }
        return handlers
    }

    static func choose(_ options: inout WorkerOptions) {
        options.choice = .weighted([3, 1])
    }

    static func work(_ broker: MartletConfiguration, _ handlers: TaskHandlers, _ logger: Logger) async throws {
        var options = WorkerOptions()
        options.slots = 8
        options.grace = .seconds(30)
        options.maxTasks = 100_000
        let worker = Worker(broker, queues: [Resize.queue], handlers: handlers, options: options, logger: logger)
        let health = HealthEndpoint(host: "127.0.0.1", port: 0, worker: worker, logger: logger)
        let group = ServiceGroup(
            services: [health, worker], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
    }
}

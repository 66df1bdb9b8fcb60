import ArgumentParser
import Foundation
import MartletClient
import ServiceLifecycle
import UnixSignals

/// `jobs worker`: runs until SIGTERM or SIGINT, then finishes what it has begun.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Does what is submitted.")

    @OptionGroup var options: BrokerOptions

    @Option(help: "How many tasks at a time.")
    var slots = 4

    @Option(help: "Where mail goes as .eml files, unless --smtp names a server.")
    var outbox = "outbox"

    @Option(help: "HOST:PORT of a mail server.")
    var smtp: String?

    @Option(help: "The folder that images are read from and written to.")
    var images = "images"

    @Option(help: "The folder that PDF documents are read from.")
    var documents = "documents"

    @Option(help: "Seconds that a task takes in addition, so that there is something to watch.")
    var pace = 0.0

    @Option(help: "Seconds for which the figures of a table are kept for all workers.")
    var cache = 60.0

    @Option(help: "Seconds that running tasks have to finish after SIGTERM.")
    var grace = 20.0

    @Option(help: "Seconds after which a task is ended and tried again.")
    var hardLimit = 300.0

    @Option(help: "Seconds between two signs of life.")
    var beat = 10.0

    @Option(help: "Ends after so many tasks, to be started anew.")
    var maxTasks: Int?

    @Option(help: "Answers GET /live and /ready on this port.")
    var healthPort: Int?

    func validate() throws {
        guard (1...1_000).contains(slots) else { throw ValidationError("--slots must be 1 to 1000") }
        guard (0...3_600).contains(pace), (0...3_600).contains(grace) else {
            throw ValidationError("--pace and --grace must be 0 to 3600")
        }
        guard (0.01...86_400).contains(hardLimit), (0.01...3_600).contains(beat) else {
            throw ValidationError("--hard-limit must be 0.01 to 86400, --beat 0.01 to 3600")
        }
        guard (0.001...86_400).contains(cache) else { throw ValidationError("--cache must be 0.001 to 86400") }
        if let smtp, Post.server(smtp) == nil { throw ValidationError("not HOST:PORT: \(smtp)") }
    }

    func run() async throws {
        let logger = Jobs.logger("jobs.worker")
        let client = MartletClient(options.broker, logger: logger)
        let worker = Worker(
            options.broker, queues: [Jobs.queue], handlers: handlers(client), options: workerOptions, logger: logger)
        var services: [any Service] = [client, worker]
        if let healthPort { services.insert(HealthEndpoint(port: healthPort, worker: worker, logger: logger), at: 0) }
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup) },
            logger: logger)
        configuration.gracefulShutdownSignals = [.sigterm, .sigint]
        try await ServiceGroup(configuration: configuration).run()
        if let exit = worker.exit { FileHandle.standardError.write(Data("worker ended: \(exit)\n".utf8)) }
    }

    private var workerOptions: WorkerOptions {
        var options = WorkerOptions()
        options.slots = slots
        options.grace = .seconds(grace)
        options.limits = TimeLimits(soft: .seconds(hardLimit * 0.8), hard: .seconds(hardLimit))
        options.beat = .seconds(beat)
        options.maxTasks = maxTasks
        options.retries = .remoteServices
        return options
    }

    private func handlers(_ client: MartletClient) -> TaskHandlers {
        let post: Post = smtp.flatMap(Post.server) ?? .outbox(URL(filePath: outbox, directoryHint: .isDirectory))
        let images = URL(filePath: images, directoryHint: .isDirectory)
        let pace = Duration.seconds(pace)
        var handlers = TaskHandlers()
        handlers.use { payload, context, next in
            try await context.progress(0, note: "begun")
            try await Task.sleep(for: pace)
            return try await next(payload, context)
        }
        handlers.register(SendEmail.self) { mail, context in try await post.send(mail, as: context.id) }
        let (span, limit) = (Duration.seconds(cache), Duration.seconds(hardLimit))
        handlers.register(ProcessData.self) { table, context in
            // Asked again, the same table need not be summed up again.
            try await client.cached(table.key, for: span, within: limit) { try await table.statistics(context) }
        }
        handlers.register(ResizeImage.self) { order, context in try await order.carryOut(in: images, context) }
        let documents = URL(filePath: documents, directoryHint: .isDirectory)
        handlers.register(PDFText.self) { order, context in try await order.extract(in: documents, context) }
        return handlers
    }
}

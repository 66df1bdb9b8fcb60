import ArgumentParser
import Logging
import MartletClient
import ServiceLifecycle
import UnixSignals

/// `summarizer worker`: runs until SIGTERM or SIGINT, then finishes what it has begun.
struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "worker", abstract: "Summarises what is submitted.")

    @OptionGroup var options: BrokerOptions

    @Option(help: "How many documents at a time.")
    var slots = 2

    @Option(help: "Lease of a task in milliseconds: how soon another worker takes over from a dead one.")
    var lease = 3_000

    @Option(help: "Pause between the steps of a task in milliseconds, so that there is something to watch.")
    var pace = 40

    func validate() throws {
        guard (1...1_000).contains(slots) else { throw ValidationError("--slots must be 1 to 1000") }
        guard (100...3_600_000).contains(lease) else { throw ValidationError("--lease must be 100 to 3600000") }
        guard (0...60_000).contains(pace) else { throw ValidationError("--pace must be 0 to 60000") }
    }

    func run() async throws {
        let logger = BrokerOptions.logger("summarizer.worker")
        var workerOptions = WorkerOptions()
        workerOptions.slots = slots
        workerOptions.lease = .milliseconds(lease)
        let worker = Worker(
            options.broker, queues: [options.queue], handlers: handlers, options: workerOptions, logger: logger)
        let group = ServiceGroup(
            services: [worker], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
    }

    private var handlers: TaskHandlers {
        let pace = Duration.milliseconds(pace)
        var handlers = TaskHandlers()
        handlers.register(Summarize.self) { payload, context in
            try await context.progress(10, note: "reading")
            try await Task.sleep(for: pace)
            switch payload.planted {
            case .firstAttempt where context.attempt == 1:
                throw TaskFailure("planted: fails at the first attempt", kind: "planted")
            case .everyAttempt: throw TaskFailure("planted: fails at every attempt", kind: "planted")
            default: break
            }
            let document = Document(payload.text)
            try await context.progress(60, note: "\(document.sentences.count) sentences")
            try await Task.sleep(for: pace)
            return Summarize.Output(
                title: payload.title, sentences: document.summary(of: payload.sentences), words: document.wordCount)
        }
        return handlers
    }
}

import ArgumentParser
import Logging
import MartletClient

/// An example service: documents are submitted, workers summarise them. Offline: it picks a document's own sentences.
@main
struct Summarizer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "summarizer", abstract: "Summarises documents through a Martlet broker.",
        subcommands: [WorkerCommand.self, SubmitCommand.self])
}

/// Where the broker is.
struct BrokerOptions: ParsableArguments {
    @Option(help: "martlet://[:password@]host[:port]; instead of --host and --port.")
    var url: String?

    @Option(help: "The broker's host.")
    var host = "127.0.0.1"

    @Option(help: "The broker's RESP port.")
    var port = 7379

    @Option(help: "The queue of the documents.")
    var queue = Summarize.queue

    func validate() throws {
        if let url, MartletConfiguration(url: url) == nil { throw ValidationError("not a broker's URL: \(url)") }
        guard (1...65_535).contains(port) else { throw ValidationError("--port must be 1 to 65535") }
    }

    var broker: MartletConfiguration {
        url.flatMap { MartletConfiguration(url: $0) } ?? MartletConfiguration(host: host, port: port)
    }

    /// Warnings go to standard error; results stay alone on standard output.
    static func logger(_ label: String) -> Logger {
        var logger = Logger(label: label, factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .warning
        return logger
    }
}

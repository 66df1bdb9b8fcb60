import ArgumentParser
import Logging
import MartletClient

/// An example service with three kinds of work: mail is sent, tables are summed up, images are resized.
@main
struct Jobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs", abstract: "Sends mail, sums up tables and resizes images through a Martlet broker.",
        subcommands: [WorkerCommand.self, SubmitCommand.self])

    /// The queue of all three.
    static let queue = "default"

    /// What goes wrong goes to standard error; results stay alone on standard output.
    static func logger(_ label: String) -> Logger {
        var logger = Logger(label: label, factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .warning
        return logger
    }
}

/// Where the broker is.
struct BrokerOptions: ParsableArguments {
    @Option(help: "martlet://[:password@]host[:port]")
    var url = "martlet://127.0.0.1:7379"

    func validate() throws {
        if MartletConfiguration(url: url) == nil { throw ValidationError("not a broker's URL: \(url)") }
    }

    var broker: MartletConfiguration { MartletConfiguration(url: url) ?? MartletConfiguration() }
}

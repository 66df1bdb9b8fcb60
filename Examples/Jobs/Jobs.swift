import ArgumentParser
import Foundation
import Logging
import MartletClient

/// An example service with four kinds of work: mail is sent, tables are summed up, images are resized, and the text is
/// taken out of PDF documents.
@main
struct Jobs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "Sends mail, sums up tables, resizes images and reads PDF documents through a Martlet broker.",
        subcommands: [WorkerCommand.self, SubmitCommand.self])

    /// The queue of all four.
    static let queue = "default"

    /// What goes wrong goes to standard error; results stay alone on standard output.
    static func logger(_ label: String) -> Logger {
        var logger = Logger(label: label, factory: { StreamLogHandler.standardError(label: $0) })
        logger.logLevel = .warning
        return logger
    }

    /// A file of a worker's folder; a payload must not name files elsewhere.
    static func file(_ name: String, in folder: URL) throws -> URL {
        guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/"), !name.contains("\0") else {
            throw TaskFailure.dead("not a plain file name: \(name)", kind: "invalid_name")
        }
        return folder.appending(path: name)
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

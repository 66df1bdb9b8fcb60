import ArgumentParser
import FoundationEssentials
import Glibc
import Logging
import MartletBroker
import UnixSignals

/// `martlet serve`: runs the broker until SIGTERM, SIGINT or SHUTDOWN.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the broker.",
        discussion: """
            Every setting is a flag, a variable (--max-data-mb: MARTLET_MAX_DATA_MB) and a key of the JSON \
            configuration file (max-data-mb). Flags come before variables, variables before the file, the file \
            before the profile.
            """)

    @OptionGroup(title: "Settings")
    var settings: SettingFlags
    @Option(help: "A JSON file with settings; MARTLET_CONFIG names it too.")
    var config: String?
    @Flag(help: "Print the settings in force as a configuration file, and end.")
    var printConfig = false
    @Flag(help: "Print the table of all settings in Markdown, and end.")
    var printSettings = false

    func run() async throws {
        do throws(StartError) {
            if printSettings { return print(Setting.document) }
            let configuration = try BrokerConfiguration.load(
                flags: settings.given, file: config, environment: ProcessInfo.processInfo.environment)
            if printConfig { return print(configuration.configurationFile) }
            try await serve(configuration)
        } catch {
            writeLine("martlet serve: \(error)", to: STDERR_FILENO)
            throw ExitCode(error.exitCode)
        }
    }

    private func serve(_ configuration: BrokerConfiguration) async throws(StartError) {
        LoggingSystem.bootstrap { _ in BrokerLogHandler(configuration.logFormat) }
        var logger = Logger(label: "martlet")
        logger.logLevel = configuration.logLevel
        do {
            // Trapped before anybody can know that the broker runs: a stop that comes at once is none too early.
            let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
            let broker = try await BrokerServer.start(configuration, logger: logger)
            let stopper = Task { for await _ in signals { broker.stop() } }
            defer { stopper.cancel() }
            let data = URL(filePath: configuration.dataDirectory).standardizedFileURL.path
            let host = broker.host.contains(":") ? "[\(broker.host)]" : broker.host
            writeLine(
                "martlet \(Version.martlet) ready: resp \(host):\(broker.port), data \(data), pid \(getpid())",
                to: STDOUT_FILENO)
            try await broker.waitUntilStopped()
        } catch let error as StartError {
            throw error
        } catch {
            throw StartError(EX_SOFTWARE, "\(error)")
        }
    }
}

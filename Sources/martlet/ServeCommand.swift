import ArgumentParser
import Dispatch
import FoundationEssentials
import Glibc
import Logging
import MartletBroker

/// `martlet serve`: runs the broker until SIGTERM, SIGINT or SHUTDOWN.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the broker.",
        discussion: """
            Every flag is also a variable (--max-data-mb: MARTLET_MAX_DATA_MB) and a key of the JSON configuration \
            file (max-data-mb). Flags come before variables, variables before the file.
            """)

    @Option(help: "The RESP port; 0 picks a free one. (default: 7379)")
    var port: Int?
    @Option(help: "The address to listen on; others than loopback need a password. (default: 127.0.0.1)")
    var bind: String?
    @Option(help: "The data directory; it is created. (default: ./martlet-data)")
    var data: String?
    @Option(help: "A file whose first line is the password.")
    var passwordFile: String?
    @Option(help: "When a change is answered: always, once it is on the disk.")
    var durability: String?
    @Option(help: "The cap of the data file in MiB; past it DISKFULL.")
    var maxDataMb: Int?
    @Option(help: "How many clients may be connected. (default: 10000)")
    var maxClients: Int?
    @Option(help: "A JSON file with settings; MARTLET_CONFIG names it too.")
    var config: String?
    @Option(help: "What is logged: trace, debug, info, notice, warning, error or critical. (default: info)")
    var logLevel: String?
    @Option(help: "How it is logged: text.")
    var logFormat: String?
    @Flag(help: "Serve no HTTP. This version has no HTTP gateway.")
    var noHttp = false

    func run() async throws {
        do {
            try await serve()
        } catch let error as StartError {
            writeLine("martlet serve: \(error)", to: STDERR_FILENO)
            throw ExitCode(error.exitCode)
        }
    }

    private func serve() async throws {
        let configuration = try await BrokerConfiguration.load(
            flags: flags, file: config, environment: ProcessInfo.processInfo.environment)
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: "martlet")
        logger.logLevel = configuration.logLevel
        let broker = try await BrokerServer.start(configuration, logger: logger)
        let signals = [SIGTERM, SIGINT].map { signal in onSignal(signal) { broker.stop() } }
        let data = URL(filePath: configuration.dataDirectory).standardizedFileURL.path
        let host = broker.host.contains(":") ? "[\(broker.host)]" : broker.host
        writeLine(
            "martlet \(Version.martlet) ready: resp \(host):\(broker.port), data \(data), pid \(getpid())",
            to: STDOUT_FILENO)
        try await broker.waitUntilStopped()
        for signal in signals { signal.cancel() }
    }

    /// The flags that were given.
    private var flags: [String: Setting.Value] {
        var flags: [String: Setting.Value] = [:]
        func set(_ name: String, _ value: Int?) { value.map { flags[name] = .integer($0) } }
        func set(_ name: String, _ value: String?) { value.map { flags[name] = .text($0) } }
        set("port", port)
        set("bind", bind)
        set("data", data)
        set("password-file", passwordFile)
        set("durability", durability)
        set("max-data-mb", maxDataMb)
        set("max-clients", maxClients)
        set("log-level", logLevel)
        set("log-format", logFormat)
        if noHttp { flags["no-http"] = .flag(true) }
        return flags
    }
}

/// Runs `body` when the process gets `number`, which then does nothing else.
private func onSignal(_ number: Int32, _ body: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler(handler: body)
    source.resume()
    return source
}

/// Writes one line at once; a closed descriptor is nobody's loss.
func writeLine(_ text: String, to descriptor: Int32) {
    let bytes = Array("\(text)\n".utf8)
    _ = unsafe bytes.withUnsafeBytes { unsafe write(descriptor, $0.baseAddress, $0.count) }
}

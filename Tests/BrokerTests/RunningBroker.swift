import FoundationEssentials
import Glibc
import Logging
import MartletBroker

/// A broker in this process, on a free port, with a directory of its own that goes with it.
struct RunningBroker {
    let server: BrokerServer
    let directory: String

    static func start(_ change: (inout BrokerConfiguration) -> Void = { _ in }) async throws -> RunningBroker {
        let directory = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString)").path
        return try await start(in: directory, change)
    }

    static func start(
        in directory: String, _ change: (inout BrokerConfiguration) -> Void = { _ in }
    ) async throws -> RunningBroker {
        var configuration = BrokerConfiguration()
        (configuration.port, configuration.dataDirectory) = (0, directory)
        configuration.maxBytes = 64 << 20
        change(&configuration)
        var logger = Logger(label: "broker under test")
        logger.logLevel = .critical
        return RunningBroker(
            server: try await BrokerServer.start(configuration, logger: logger), directory: directory)
    }

    func connect() throws -> RawClient { try RawClient(port: server.port) }

    func stop() async throws {
        server.stop()
        try await server.waitUntilStopped()
    }

    /// Stops it and removes its data.
    func remove() async throws {
        try await stop()
        try FileManager.default.removeItem(atPath: directory)
    }
}

/// Runs `body` against a broker of its own and removes it afterwards.
func withBroker(
    _ change: (inout BrokerConfiguration) -> Void = { _ in }, _ body: (RunningBroker) async throws -> Void
) async throws {
    let broker = try await RunningBroker.start(change)
    do {
        try await body(broker)
    } catch {
        try await broker.remove()
        throw error
    }
    try await broker.remove()
}

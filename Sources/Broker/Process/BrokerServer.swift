import Crypto
import FoundationEssentials
import Glibc
public import Logging
import MartletEngine
import MartletProtocol
import MartletStorage
import NIOCore
import NIOPosix

/// A running broker: one event loop with its sockets and its engine.
public final class BrokerServer: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let broker: NIOLoopBound<Broker>
    private let stopped: EventLoopFuture<Void>
    private let promise: EventLoopPromise<Void>
    /// Where it listens.
    public let host: String
    public let port: Int

    private init(
        _ group: MultiThreadedEventLoopGroup, _ broker: NIOLoopBound<Broker>, _ promise: EventLoopPromise<Void>,
        _ address: SocketAddress?
    ) {
        (self.group, self.broker, self.promise) = (group, broker, promise)
        stopped = promise.futureResult
        host = address?.ipAddress ?? ""
        port = address?.port ?? 0
    }

    /// Opens the data directory and begins to listen.
    /// - Throws: `StartError` with one line that says what is wrong and an exit code of sysexits.
    public static func start(_ configuration: BrokerConfiguration, logger: Logger) async throws -> BrokerServer {
        let password = try PasswordFile.read(configuration, logger)
        try checkAddress(configuration, hasPassword: password != nil)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let promise = loop.makePromise(of: Void.self)
        do {
            let broker = try await loop.submit {
                let hash = password.map { PasswordHash($0) }
                do throws(StorageError) {
                    let broker = try Broker(
                        configuration: configuration, loop: loop.assumeIsolated(), logger: logger, password: hash,
                        stopRequested: promise)
                    return NIOLoopBound(broker, eventLoop: loop)
                } catch {
                    throw StartError(exitCode(error), "cannot open \(configuration.dataDirectory): \(error)")
                }
            }.get()
            do {
                let listener = try await bootstrap(loop, broker).bind(
                    host: configuration.bind, port: configuration.port
                )
                .get()
                try await loop.submit { broker.value.begin(listener) }.get()
                return BrokerServer(group, broker, promise, listener.localAddress)
            } catch {
                try? await loop.submit { broker.value.store.close() }.get()
                throw StartError(
                    EX_UNAVAILABLE, "cannot listen on \(configuration.bind):\(configuration.port): \(reason(error))")
            }
        } catch {
            promise.succeed()
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private static func bootstrap(_ loop: any EventLoop, _ broker: NIOLoopBound<Broker>) -> ServerBootstrap {
        ServerBootstrap(group: loop)
            .serverChannelOption(.backlog, value: 4_096)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let buffers = broker.value.receiveBuffers.forChannel(on: channel.eventLoop)
                    try channel.syncOptions?.setOption(.recvAllocator, value: buffers)
                    try channel.pipeline.syncOperations.addHandler(ConnectionHandler(broker: broker.value))
                }
            }
    }

    /// Begins an orderly stop: blocked callers are told, replies go out, the store is closed.
    public func stop() {
        promise.futureResult.eventLoop.execute { [broker, promise] in broker.value.stop(promise) }
    }

    /// Returns when the broker has stopped, by `stop()` or because a client asked for it.
    public func waitUntilStopped() async throws {
        try await stopped.get()
        try await group.shutdownGracefully()
    }
}

extension BrokerServer {
    private static func checkAddress(_ configuration: BrokerConfiguration, hasPassword: Bool) throws(StartError) {
        guard !hasPassword, !isLoopback(configuration.bind) else { return }
        throw StartError(
            EX_CONFIG,
            "refusing to listen on \(configuration.bind) without a password: give --password-file, or --bind 127.0.0.1")
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1"
            || host.hasPrefix("127.")
                && (try? SocketAddress(ipAddress: host, port: 0)) != nil
    }

    static func exitCode(_ error: StorageError) -> Int32 {
        switch error.kind {
        case .busy: EX_TEMPFAIL
        case .version, .damaged: EX_DATAERR
        case .full, .failed: EX_CANTCREAT
        }
    }

    private static func reason(_ error: any Error) -> String {
        if let error = error as? IOError, error.errnoCode == EADDRINUSE { return "the address is in use" }
        return Request.printable(Array("\(error)".utf8), limit: 300)
    }
}

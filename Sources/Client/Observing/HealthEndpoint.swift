public import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// Answers an orchestrator's probes over HTTP: `GET /live` and `GET /ready`, each 200 or 503 with a line of JSON.
///
///     let worker = Worker(configuration, queues: ["mail"], handlers: handlers)
///     let health = HealthEndpoint(port: 8080, worker: worker)
///     try await ServiceGroup(services: [health, worker], gracefulShutdownSignals: [.sigterm], logger: logger).run()
///
/// Live: the process answers, and no more handlers are stuck than `WorkerOptions.mostStuckHandlers`. Ready: the worker
/// takes tasks and the broker answered within three beats. At most 64 connections, closed after one answer or five
/// silent seconds.
public final class HealthEndpoint: Service {
    enum Bounds {
        static let connections = 64
        static let silence = TimeAmount.seconds(5)
    }

    private let host: String
    private let port: Int
    private let worker: Worker
    private let logger: Logger
    private let bound = Mutex<Int?>(nil)

    /// - Parameters:
    ///   - host: the address it listens on; all of them unless another is given.
    ///   - port: 0 picks a free one, which `boundPort` tells.
    ///   - worker: whose health it tells.
    ///   - logger: for what goes wrong with its connections.
    public init(
        host: String = "0.0.0.0", port: Int, worker: Worker, logger: Logger = Logger(label: "martlet.health")
    ) {
        (self.host, self.port, self.worker, self.logger) = (host, port, worker, logger)
    }

    /// The port it listens on, once it does.
    public var boundPort: Int? { bound.withLock { $0 } }

    /// Listens until a graceful shutdown or cancellation.
    public func run() async throws {
        let shared = Shared(worker: worker)
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton.next())
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(IdleStateHandler(allTimeout: Bounds.silence))
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false)
                    try pipeline.addHandler(ProbeHandler(shared))
                }
            }
            .bind(host: host, port: port).get()
        bound.withLock { $0 = listener.localAddress?.port }
        logger.info("health endpoint listens", metadata: ["port": "\(listener.localAddress?.port ?? 0)"])
        try? await gracefulShutdown()
        try? await listener.close()
    }

    /// What all connections share.
    final class Shared: Sendable {
        let worker: Worker
        let open = Atomic<Int>(0)

        init(worker: Worker) { self.worker = worker }
    }
}

/// One connection: one question, one answer.
private final class ProbeHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let shared: HealthEndpoint.Shared
    private var request: HTTPRequestHead?

    init(_ shared: HealthEndpoint.Shared) { self.shared = shared }

    func channelActive(context: ChannelHandlerContext) {
        let open = shared.open.wrappingAdd(1, ordering: .relaxed).newValue
        if open > HealthEndpoint.Bounds.connections { context.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        shared.open.wrappingSubtract(1, ordering: .relaxed)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = head
        case .body: break
        case .end:
            guard let request else { return }
            answer(request, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let probe = Probe(path: request.uri, health: shared.worker.health, options: shared.worker.options)
        let isAllowed = request.method == .GET || request.method == .HEAD
        var headers = HTTPHeaders([("content-type", "application/json"), ("connection", "close")])
        headers.add(name: "content-length", value: "\(probe.body.utf8.count)")
        let status = isAllowed ? probe.status : .methodNotAllowed
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if request.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: probe.body)))), promise: nil)
        }
        let channel = context.channel
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
    }
}

/// What is answered to one path.
private struct Probe {
    var status: HTTPResponseStatus
    var body: String

    init(path: String, health: WorkerHealth, options: WorkerOptions) {
        let isFine: Bool
        switch path.split(separator: "?").first {
        case "/live": isFine = health.stuckHandlers <= options.mostStuckHandlers
        case "/ready": isFine = health.isReady
        default:
            (status, body) = (.notFound, #"{"error":"ask for /live or /ready"}"# + "\n")
            return
        }
        let milliseconds = health.sinceBeat.map { "\($0.wholeMilliseconds)" } ?? "null"
        status = isFine ? .ok : .serviceUnavailable
        body =
            #"{"ok":\#(isFine),"phase":"\#(health.phase.rawValue)","busy":\#(health.busy),"#
            + #""stuck_handlers":\#(health.stuckHandlers),"since_beat_ms":\#(milliseconds)}"# + "\n"
    }
}

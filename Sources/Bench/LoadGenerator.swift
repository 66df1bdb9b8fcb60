import NIOCore
import NIOPosix

/// Drives a server with one thread and reports what it saw.
public enum LoadGenerator {
    /// How far a run is.
    public struct Progress: Sendable {
        public var finished: Int
        public var jobs: Int
        public var seconds: Double
    }

    /// A run without a single finished job for so long has failed.
    static let stallLimit = TimeAmount.seconds(60)
    static let progressInterval = TimeAmount.milliseconds(200)

    /// Runs `plan` to its end. `progress` is called five times a second on the generator's thread, so it must be
    /// quick. Throws when the plan makes no sense, the server cannot be reached, refuses a command or stalls.
    public static func run(
        _ plan: BenchPlan, progress: @escaping @Sendable (Progress) -> Void = { _ in }
    ) async throws -> BenchReport {
        if let problem = plan.problem() { throw BenchError(problem) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let result: Result<BenchReport, any Error>
        do {
            result = .success(try await run(plan, on: group.next(), progress: progress))
        } catch {
            result = .failure(error)
        }
        try await group.shutdownGracefully()
        return try result.get()
    }

    private static func run(
        _ plan: BenchPlan, on loop: any EventLoop, progress: @escaping @Sendable (Progress) -> Void
    ) async throws -> BenchReport {
        let (scripts, process) = try await prepare(plan, on: loop)
        let done = loop.makePromise(of: BenchReport.self)
        let nonceRun = UInt32.random(in: 0...UInt32.max)
        try await loop.flatSubmit {
            let dialect: any Dialect =
                switch plan.peer {
                case .martlet: MartletDialect(plan, run: nonceRun)
                case .redisLua: RedisLuaDialect(plan, scripts: scripts)
                case .beanstalkd: BeanstalkDialect(plan)
                }
            let run = LoadRun(plan, dialect: dialect, serverProcess: process, loop: loop, done: done)
            let bound = NIOLoopBound(run, eventLoop: loop)
            let connected = connect(run, on: loop)
            connected.whenSuccess { channels in
                start(bound.value, channels.value)
                watch(bound, done: done, progress: progress)
            }
            connected.whenFailure { done.fail(BenchError("cannot connect: \($0)")) }
            return done.futureResult.map { _ in }
        }.get()
        return try await done.futureResult.get()
    }

    /// The names of the loaded scripts, and the server's process when it is on this machine.
    private static func prepare(
        _ plan: BenchPlan, on loop: any EventLoop
    ) async throws -> (scripts: [String], process: Int?) {
        // It has no command that says which process it is.
        if plan.peer == .beanstalkd { return ([], plan.serverProcess) }
        var commands = plan.peer == .redisLua ? RedisLuaDialect.loading : []
        commands.append(CommandText.of(["INFO", "server"]))
        if let password = plan.password { commands.insert(CommandText.of(["AUTH", password]), at: 0) }
        var answers = try await ControlConnection.exchange(commands, with: plan, on: loop)
            .map { String(decoding: $0, as: UTF8.self) }
        if plan.password != nil { answers.removeFirst() }
        let information = answers.removeLast()
        return (answers, plan.serverProcess ?? processID(information))
    }

    /// `process_id` of an INFO text.
    static func processID(_ information: String) -> Int? {
        for line in information.split(whereSeparator: \.isNewline) where line.hasPrefix("process_id:") {
            return Int(line.dropFirst("process_id:".count))
        }
        return nil
    }
}

extension LoadGenerator {
    private typealias Channels = NIOLoopBound<[(any Channel, LoadConnection)]>

    /// Opens all connections, one after the other, so that no server's backlog overflows.
    private static func connect(_ run: LoadRun, on loop: any EventLoop) -> EventLoopFuture<Channels> {
        let bound = NIOLoopBound(run, eventLoop: loop)
        var all = loop.makeSucceededFuture(Channels([], eventLoop: loop))
        for _ in 0..<run.plan.connections {
            all = all.flatMap { before in
                let connection = NIOLoopBound(LoadConnection(bound.value), eventLoop: loop)
                return bootstrap(connection, on: loop)
                    .connect(host: bound.value.plan.host, port: bound.value.plan.port)
                    .map { Channels(before.value + [($0, connection.value)], eventLoop: loop) }
            }
        }
        return all
    }

    private static func bootstrap(
        _ connection: NIOLoopBound<LoadConnection>, on loop: any EventLoop
    ) -> ClientBootstrap {
        ClientBootstrap(group: loop)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 64 * 1024))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(connection.value)
                }
            }
    }

    private static func start(_ run: LoadRun, _ channels: [(any Channel, LoadConnection)]) {
        run.start()
        for (channel, connection) in channels { connection.begin(channel) }
    }

    /// Tells how far the run is, and fails it when it stalls.
    private static func watch(
        _ run: NIOLoopBound<LoadRun>, done: EventLoopPromise<BenchReport>,
        progress: @escaping @Sendable (Progress) -> Void
    ) {
        let ticks = run.eventLoop.scheduleRepeatedTask(initialDelay: progressInterval, delay: progressInterval) { _ in
            progress(run.value.tick(stallLimit: stallLimit))
        }
        done.futureResult.whenComplete { _ in ticks.cancel() }
    }
}

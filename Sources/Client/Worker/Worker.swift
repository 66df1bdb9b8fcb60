public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
import Synchronization

/// Runs tasks: takes them from the queues, calls the handler of their type and tells the broker the outcome.
///
///     var handlers = TaskHandlers()
///     handlers.register(Resize.self) { payload, context in
///         try await context.progress(50, note: "scaled")
///         return Resize.Output(path: try await resize(payload))
///     }
///     let worker = Worker(configuration, queues: [Resize.queue], handlers: handlers)
///     try await ServiceGroup(services: [worker], gracefulShutdownSignals: [.sigterm], logger: logger).run()
///
/// - A handler that throws fails the attempt; `TaskFailure` says more exactly what follows, and `RetryTable` when.
/// - While a handler runs its lease is extended with every beat. When the lease is lost, the task cancelled or its hard
///   limit past, the handler's Swift task is cancelled; one that does not end is left behind.
/// - On a graceful shutdown, or when its own Swift task is cancelled, it takes nothing new, lets running handlers
///   finish for `WorkerOptions.grace`, then cancels them and gives their tasks back uncounted.
/// - It rests and stops as `WORKER.QUIET` and `WORKER.STOP` tell it with the next beat.
/// - It returns by itself when it is to be recycled; `exit` says why it returned. In a `ServiceGroup` that is the end
///   of the group unless its configuration says otherwise.
public final class Worker: Service {
    /// The queues it takes tasks from.
    public let queues: [String]
    /// How it takes and gives back tasks.
    public let options: WorkerOptions
    let handlers: TaskHandlers
    let logger: Logger
    private let configuration: MartletConfiguration
    private let pulse = Mutex(Pulse())

    /// - Parameters:
    ///   - configuration: where the broker is.
    ///   - queues: 1–1,000 names; a queue need not exist yet.
    ///   - handlers: what it can do.
    ///   - options: how it takes and gives back tasks.
    ///   - logger: for the worker; its handlers' loggers come from it.
    public init(
        _ configuration: MartletConfiguration = .init(), queues: [String], handlers: TaskHandlers,
        options: WorkerOptions = .init(), logger: Logger = Logger(label: "martlet.worker")
    ) {
        precondition(!queues.isEmpty, "a worker needs at least one queue")
        if case .weighted(let weights) = options.choice {
            precondition(weights.count == queues.count, "a worker needs one weight for each of its queues")
        }
        self.configuration = configuration
        self.queues = queues
        self.handlers = handlers
        self.options = options
        self.logger = logger
    }

    /// Works until a graceful shutdown, cancellation, the order to stop or its recycling, and the end of what runs.
    public func run() async throws {
        let crew = Crew(options)
        let grace = GracePeriod(crew: crew, length: options.grace)
        pulse.withLock { $0.begin(crew) }
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await work(crew, grace)
            } onGracefulShutdown: {
                grace.begin()
            }
        } onCancel: {
            grace.begin()
        }
        grace.end()
        logger.info("worker ended", metadata: ["reason": "\(exit.map(String.init(describing:)) ?? "none")"])
    }

    private func work(_ crew: Crew, _ grace: GracePeriod) async {
        let keeper = LeaseKeeper(link: makeLink(), logger: logger)
        let heart = Heart(worker: self, crew: crew, grace: grace, link: keeper.link)
        let (strays, given) = AsyncStream.makeStream(of: Lease.self)
        // Both awaited below. No children: they have to extend leases and give tasks back in a cancelled worker too.
        let releasing = Task { for await lease in strays { await keeper.release(lease) } }
        let beating = Task { await heart.run() }
        await withDiscardingTaskGroup { group in
            for number in 0..<max(options.slots, 1) {
                let slot = Slot(
                    number: number, worker: self, crew: crew, heart: heart, keeper: keeper, strays: given,
                    link: makeLink())
                group.addTask {
                    var slot = slot
                    await slot.run()
                }
            }
        }
        given.finish()
        await releasing.value
        await heart.stop()
        await keeper.link.close()
        await beating.value
    }

    func makeLink() -> Link {
        Link(configuration, loop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
    }

    func limits(for type: String) -> TimeLimits { handlers.limits(for: type) ?? options.limits }
}

// MARK: - How it is

extension Worker {
    /// What a worker knows about itself.
    private struct Pulse {
        var crew: Crew?
        var lastBeat: ContinuousClock.Instant?

        mutating func begin(_ crew: Crew) { self = Pulse(crew: crew) }
    }

    func noteBeat() { pulse.withLock { $0.lastBeat = .now } }

    /// Why it returned, or is about to; `nil` before.
    public var exit: WorkerExit? { pulse.withLock { $0.crew }?.exit }

    /// What it is doing now.
    public var health: WorkerHealth {
        let (crew, lastBeat) = pulse.withLock { ($0.crew, $0.lastBeat) }
        guard let crew else { return WorkerHealth(phase: .idle) }
        let phase: WorkerHealth.Phase = crew.isStopping ? .stopping : crew.isQuiet ? .quiet : .running
        return WorkerHealth(
            phase: phase, busy: crew.running.count, stuckHandlers: crew.stuckHandlers,
            sinceBeat: lastBeat.map { .now - $0 }, patience: options.beat * 3)
    }
}

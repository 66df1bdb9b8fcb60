public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle

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
/// - A handler that throws fails the attempt; `TaskFailure` says more exactly what follows.
/// - While a handler runs its lease is extended at every third of its length. When the lease is lost all the same, the
///   handler's Swift task is cancelled and its outcome dropped: another worker may have the task.
/// - On a graceful shutdown, or when its own Swift task is cancelled, it takes nothing new, lets running handlers
///   finish for `WorkerOptions.grace`, then cancels them and gives their tasks back uncounted.
public final class Worker: Service {
    public let queues: [String]
    public let options: WorkerOptions
    let handlers: TaskHandlers
    let logger: Logger
    private let configuration: MartletConfiguration

    /// - Parameter queues: 1–1,000 names; a queue need not exist yet.
    public init(
        _ configuration: MartletConfiguration = .init(), queues: [String], handlers: TaskHandlers,
        options: WorkerOptions = .init(), logger: Logger = Logger(label: "martlet.worker")
    ) {
        precondition(!queues.isEmpty, "a worker needs at least one queue")
        self.configuration = configuration
        self.queues = queues
        self.handlers = handlers
        self.options = options
        self.logger = logger
    }

    /// Works until a graceful shutdown or cancellation, and the end of what runs then.
    public func run() async throws {
        let crew = Crew()
        let grace = GracePeriod(crew: crew, length: options.grace)
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await work(crew)
            } onGracefulShutdown: {
                grace.begin()
            }
        } onCancel: {
            grace.begin()
        }
        grace.end()
    }

    private func work(_ crew: Crew) async {
        let keeper = LeaseKeeper(link: makeLink(), logger: logger)
        let (strays, given) = AsyncStream.makeStream(of: Lease.self)
        // Awaited below. Not a child: it has to give tasks back in a cancelled worker too.
        let releasing = Task { for await lease in strays { await keeper.release(lease) } }
        await withDiscardingTaskGroup { group in
            for number in 0..<max(options.slots, 1) {
                let slot = Slot(
                    number: number, worker: self, crew: crew, link: makeLink(), keeper: keeper, strays: given)
                group.addTask { await slot.run() }
            }
        }
        given.finish()
        await releasing.value
        await keeper.link.close()
    }

    private func makeLink() -> Link {
        Link(configuration, loop: MultiThreadedEventLoopGroup.singleton.next(), logger: logger)
    }
}

/// Why a worker returned.
public enum WorkerExit: Sendable, Hashable, CustomStringConvertible {
    /// A graceful shutdown, or its Swift task was cancelled.
    case shutdown
    /// Somebody told it to (`WORKER.STOP`).
    case stopped
    /// It ran as many tasks as `WorkerOptions.maxTasks` says.
    case tasks(Int)
    /// Its process held more memory than `WorkerOptions.maxMemory` says; so many bytes.
    case memory(Int)
    /// More handlers than `WorkerOptions.mostStuckHandlers` ignore their cancellation.
    case stuckHandlers(Int)

    /// For logs.
    public var description: String {
        switch self {
        case .shutdown: "shutdown"
        case .stopped: "stopped through the broker"
        case .tasks(let count): "ran \(count) tasks"
        case .memory(let bytes): "the process held \(bytes) bytes"
        case .stuckHandlers(let count): "\(count) handlers ignore their cancellation"
        }
    }
}

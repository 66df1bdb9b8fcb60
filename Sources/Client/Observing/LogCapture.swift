import Logging
import MartletProtocol
import NIOCore
import Synchronization

/// Keeps the log lines of one attempt with its task (TASK.LOG): in batches, a second late at most, and bounded.
final class LogCapture: Sendable {
    enum Bounds {
        /// Lines of one TASK.LOG.
        static let batchLines = 100
        /// Bytes after which a batch goes out.
        static let batchBytes = 32 * 1024
        /// Bytes kept of one line.
        static let line = 8 * 1024
        /// Bytes of one attempt: what the broker keeps. Later lines are counted, not sent.
        static let attempt = 1024 * 1024
        static let delay = TimeAmount.seconds(1)
    }

    private struct State {
        var lines: [String] = []
        var bytes = 0
        var total = 0
        var dropped = 0
        var isScheduled = false
        /// Whether a batch went out that nobody waited for.
        var hasPosted = false
        var isFinished = false
    }

    private let state = Mutex(State())
    private let lease: Lease
    private let link: Link

    init(_ lease: Lease, link: Link) {
        self.lease = lease
        self.link = link
    }

    func append(_ line: String) {
        let line = String(line.prefix(Bounds.line))
        let (schedules, sends) = state.withLock { state in
            guard !state.isFinished else { return (false, false) }
            guard state.total + line.utf8.count <= Bounds.attempt else {
                state.dropped += 1
                return (false, false)
            }
            state.lines.append(line)
            state.bytes += line.utf8.count
            state.total += line.utf8.count
            let isFull = state.lines.count >= Bounds.batchLines || state.bytes >= Bounds.batchBytes
            defer { state.isScheduled = true }
            return (!state.isScheduled && !isFull, isFull)
        }
        if sends { send() }
        if schedules { link.loop.scheduleTask(in: Bounds.delay) { self.send() } }
    }

    /// Sends the rest and waits until the broker has all of it: after the attempt is settled it would be refused.
    func finish() async {
        let (lines, hasPosted) = state.withLock { state in
            state.isFinished = true
            if state.dropped > 0 { state.lines.append("\(state.dropped) more lines were dropped") }
            return (Self.take(&state), state.hasPosted)
        }
        guard hasPosted || !lines.isEmpty else { return }
        // Answers come in order: that to a PING says that the batches before it have arrived.
        _ = try? await link.send(lines.isEmpty ? RESPCommand("PING") : command(lines))
    }

    /// Within the lock, so that `finish` cannot overtake a batch that was taken and not posted yet.
    private func send() {
        state.withLock { state in
            let lines = Self.take(&state)
            guard !lines.isEmpty else { return }
            state.hasPosted = true
            link.post(command(lines))
        }
    }

    private func command(_ lines: [String]) -> RESPCommand {
        Commands.log(lease, lines, nonce: Nonce.random())
    }

    private static func take(_ state: inout State) -> [String] {
        defer { (state.lines, state.bytes, state.isScheduled) = ([], 0, false) }
        return state.lines
    }
}

/// Gives lines to the logger that was there, and from `info` on to the task.
struct TaskLogHandler: LogHandler {
    var base: any LogHandler
    let capture: LogCapture

    var metadata: Logger.Metadata {
        get { base.metadata }
        set { base.metadata = newValue }
    }

    var metadataProvider: Logger.MetadataProvider? {
        get { base.metadataProvider }
        set { base.metadataProvider = newValue }
    }

    /// The lower of both, so that a quiet process still keeps its tasks' lines.
    var logLevel: Logger.Level {
        get { min(base.logLevel, .info) }
        set { base.logLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { base[metadataKey: key] }
        set { base[metadataKey: key] = newValue }
    }

    func log(event: LogEvent) {
        if event.level >= base.logLevel { base.log(event: event) }
        guard event.level >= .info else { return }
        var line = "\(event.level) \(event.message)"
        for (key, value) in (event.metadata ?? [:]).sorted(by: { $0.key < $1.key }) { line += " \(key)=\(value)" }
        if let error = event.error { line += " error=\(error)" }
        capture.append(line.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n"))
    }
}

/// A handler's logger.
enum TaskLogger {
    /// `logger` with the task's id, type, queue and attempt in its metadata.
    static func make(_ logger: Logger, _ lease: Lease, capture: LogCapture?) -> Logger {
        var logger = logger
        logger[metadataKey: "task"] = "\(lease.id)"
        logger[metadataKey: "type"] = "\(lease.type)"
        logger[metadataKey: "queue"] = "\(lease.queue)"
        logger[metadataKey: "attempt"] = "\(lease.attempt)"
        if let capture { logger.handler = TaskLogHandler(base: logger.handler, capture: capture) }
        return logger
    }
}

import Logging
import MartletProtocol
import NIOCore

/// A pipelined connection that outlives its sockets.
///
/// Commands are sent in the order they were given and answered in that order. When the socket is lost the link connects
/// again, with growing pauses, and sends everything unanswered once more; the nonces in the commands keep the broker
/// from doing anything twice. It connects with the first command and, without commands, does not reconnect.
///
///     idle ──command──> connecting ──socket──> greeting ──HELLO ok──> ready
///      ^                    ^                      │                    │
///      └── nothing to send ─┴──────── pause <── socket lost ────────────┘
///
/// The actor runs on its event loop, so the channel's handler calls it without a hop.
actor Link {
    enum Phase {
        case idle
        case pausing(Scheduled<Void>)
        case connecting
        /// So many answers to the greeting are missing.
        case greeting(any Channel, missing: Int)
        case ready(any Channel)
        /// Nothing is sent any more; what the broker still answers is read.
        case ending((any Channel)?)
        case closed
    }

    nonisolated let loop: any EventLoop
    nonisolated let configuration: MartletConfiguration
    nonisolated let logger: Logger
    private(set) var phase = Phase.idle
    private var queue = CommandQueue()
    private var delay: ReconnectDelay
    private var random = SystemRandomNumberGenerator()
    /// Which connection this is, from 1.
    private var epoch = 0
    private var lastID: UInt64 = 0
    private var flushScheduled = false
    /// When the other end was last heard, or began to owe an answer.
    private var heard = NIODeadline.now()
    private var alarm: (at: NIODeadline, task: Scheduled<Void>)?

    // Safe: the actor keeps its loop alive, and with it the executor.
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.executor.asUnownedSerialExecutor() }

    init(_ configuration: MartletConfiguration, loop: any EventLoop, logger: Logger) {
        self.configuration = configuration
        self.loop = loop
        self.logger = logger
        delay = ReconnectDelay(base: configuration.reconnectBase, cap: configuration.reconnectCap)
    }

    /// Sends a command and waits for its reply; a reply that is an error is thrown.
    ///
    /// - Parameters:
    ///   - blocking: how long the command itself may wait at the broker; `nil`: for ever, so there is no deadline.
    ///   - role: what the link has to know of it for sending it again.
    /// - Throws: `refused`, `connection`, `timedOut`, `overloaded`, `closed`. Not cancelled with the Swift task.
    func send(
        _ command: RESPCommand, blocking: Duration? = .zero, role: PendingCommand.Role = .plain
    ) async throws(MartletError) -> RESPValue {
        let reply = await withCheckedContinuation { continuation in
            begin(command, blocking: blocking, role: role, sink: .caller(continuation))
        }
        let value = try reply.get()
        if case .error(let line) = value { throw .refused(Refusal(line: line)) }
        return value
    }

    /// Sends a command whose reply nobody awaits. It is repeated like any other until it was answered once.
    nonisolated func post(_ command: RESPCommand) {
        loop.execute {
            self.assumeIsolated { $0.begin(command, blocking: .zero, role: .plain, sink: .stray { _ in }) }
        }
    }

    /// Whether an `ACK … NEXT` sent now would find this connection's RESERVE.
    var hasReserved: Bool {
        if case .ready = phase { return queue.connectionReserved }
        return false
    }

    private func begin(_ command: RESPCommand, blocking: Duration?, role: PendingCommand.Role, sink: ReplySink) {
        switch phase {
        case .ending, .closed: return sink.deliver(.failure(.closed))
        default: break
        }
        var bytes = ByteBuffer()
        command.encode(into: &bytes)
        guard queue.count < configuration.outstandingCommands,
            queue.bytes + bytes.readableBytes <= max(configuration.outstandingBytes, bytes.readableBytes)
        else { return sink.deliver(.failure(.overloaded)) }
        lastID += 1
        let deadline = blocking.map { NIODeadline.now() + TimeAmount(configuration.commandTimeout + $0) }
        queue.append(
            PendingCommand(
                id: lastID, name: command.name, bytes: bytes, deadline: deadline, role: role, sink: sink))
        if let deadline { arm(at: deadline) }
        switch phase {
        case .idle: connect()
        case .ready: scheduleFlush()
        default: break
        }
    }
}

// MARK: - Writing and reading

extension Link {
    /// All commands given in one turn of the loop go out in one write.
    private func scheduleFlush() {
        guard !flushScheduled else { return }
        flushScheduled = true
        loop.execute { self.assumeIsolated { $0.flush() } }
    }

    private func flush() {
        flushScheduled = false
        guard case .ready(let channel) = phase, !queue.waiting.isEmpty else { return }
        if queue.sent.isEmpty { heard = .now() }
        var output = channel.allocator.buffer(capacity: 1024)
        queue.transmit(into: &output)
        channel.writeAndFlush(output, promise: nil)
        arm(at: heard + TimeAmount(configuration.silence))
    }

    /// One reply, or a push, from connection `epoch`.
    func received(_ value: RESPValue, epoch: Int) {
        guard epoch == self.epoch else { return }
        heard = .now()
        if case .push = value { return }
        if case .greeting(let channel, let missing) = phase { return greeted(channel, missing: missing, with: value) }
        if case .error(let line) = value, line.hasPrefix("STOPPING") {
            return lost(epoch: epoch, "the broker is stopping")
        }
        guard let command = queue.answered() else { return lost(epoch: epoch, "a reply to nothing") }
        delay.reset()
        command.sink.deliver(.success(value))
    }

    private func greeted(_ channel: any Channel, missing: Int, with value: RESPValue) {
        // Only HELLO, the first, has to succeed.
        if missing == Greeting.commands(configuration).count, case .error(let line) = value {
            let reason = MartletError.connection(line)
            logger.error("the broker refused the greeting", metadata: ["reason": "\(line)"])
            epoch += 1
            phase = .idle
            channel.close(promise: nil)
            for command in queue.removeAll() { command.sink.deliver(.failure(reason)) }
        } else if missing > 1 {
            phase = .greeting(channel, missing: missing - 1)
        } else {
            phase = .ready(channel)
            flush()
        }
    }
}

// MARK: - Connecting

extension Link {
    private func connect() {
        phase = .connecting
        epoch += 1
        let epoch = epoch
        LinkBootstrap.connect(self, epoch: epoch).whenComplete { result in
            self.assumeIsolated { $0.connected(result, epoch: epoch) }
        }
    }

    private func connected(_ result: Result<any Channel, any Error>, epoch: Int) {
        guard epoch == self.epoch, case .connecting = phase else {
            if case .success(let channel) = result { channel.close(promise: nil) }
            return
        }
        switch result {
        case .failure(let error): lost(epoch: epoch, "\(error)")
        case .success(let channel):
            heard = .now()
            let greeting = Greeting.commands(configuration)
            phase = .greeting(channel, missing: greeting.count)
            var output = channel.allocator.buffer(capacity: 256)
            for command in greeting { command.encode(into: &output) }
            channel.writeAndFlush(output, promise: nil)
            arm(at: heard + TimeAmount(configuration.silence))
        }
    }

    /// Connection `epoch` is gone, or could not be made.
    func lost(epoch: Int, _ reason: String) {
        guard epoch == self.epoch else { return }
        self.epoch += 1
        switch phase {
        case .greeting(let channel, _), .ready(let channel): channel.close(promise: nil)
        case .ending(let channel):
            channel?.close(promise: nil)
            return close()
        case .connecting: break
        case .idle, .pausing, .closed: return
        }
        guard !configuration.failsFast else {
            phase = .idle
            for command in queue.removeAll() { command.sink.deliver(.failure(.connection(reason))) }
            return
        }
        queue.connectionLost()
        guard !queue.isEmpty else {
            phase = .idle
            return
        }
        let pause = delay.next(using: &random)
        let milliseconds = pause.nanoseconds / 1_000_000
        logger.debug("connection lost", metadata: ["reason": "\(reason)", "pause_ms": "\(milliseconds)"])
        phase = .pausing(loop.scheduleTask(in: pause) { self.assumeIsolated { $0.pauseEnded() } })
    }

    private func pauseEnded() {
        guard case .pausing = phase else { return }
        if queue.isEmpty { phase = .idle } else { connect() }
    }
}

// MARK: - Deadlines and the end

extension Link {
    private func arm(at time: NIODeadline) {
        if let alarm {
            guard time < alarm.at else { return }
            alarm.task.cancel()
        }
        alarm = (time, loop.scheduleTask(deadline: time) { self.assumeIsolated { $0.alarmRang() } })
    }

    private func alarmRang() {
        alarm = nil
        let now = NIODeadline.now()
        for command in queue.expire(now: now) { command.sink.deliver(.failure(.timedOut(command.name))) }
        if let deadline = queue.earliestDeadline { arm(at: deadline) }
        guard owesAnswer else { return }
        let patience = heard + TimeAmount(configuration.silence)
        if patience > now { arm(at: patience) } else { lost(epoch: epoch, "silent for \(configuration.silence)") }
    }

    private var owesAnswer: Bool {
        switch phase {
        case .greeting: true
        case .ready, .ending: !queue.sent.isEmpty
        default: false
        }
    }

    /// Stops sending, tells the broker so, and waits for what it has answered already: a RESERVE it ends without tasks.
    ///
    /// Everything unanswered then fails with `closed`. Any thread; returns at once.
    nonisolated func end() {
        loop.execute { self.assumeIsolated { $0.beginEnd() } }
    }

    private func beginEnd() {
        guard case .ready(let channel) = phase, !queue.sent.isEmpty else { return close() }
        phase = .ending(channel)
        channel.close(mode: .output, promise: nil)
        let epoch = epoch
        // A broker that does not close in turn within a second is not waited for.
        loop.scheduleTask(in: .seconds(1)) { self.assumeIsolated { $0.lost(epoch: epoch, "did not close") } }
    }

    /// Cuts the connection; everything unanswered fails with `closed`.
    func close() {
        switch phase {
        case .greeting(let channel, _), .ready(let channel), .ending(let channel?): channel.close(promise: nil)
        case .pausing(let pause): pause.cancel()
        case .ending, .idle, .connecting, .closed: break
        }
        phase = .closed
        epoch += 1
        alarm?.task.cancel()
        alarm = nil
        for command in queue.removeAll() { command.sink.deliver(.failure(.closed)) }
    }
}

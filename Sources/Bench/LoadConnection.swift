import NIOCore

/// One connection of the load generator: keeps `pipeline` jobs in flight, each a slot that goes from one command to
/// the next as its replies come.
///
/// All commands that one read gives rise to leave in one write. Nothing is allocated per command once the buffers
/// have grown. Confined to the event loop of its channel, as `LoadRun` is.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let run: LoadRun
    private let dialect: any Dialect
    private var output = ByteBuffer()
    private var partial = ByteBuffer()
    private var scanner = ReplyScanner()
    private var tasks: [ReservedTask] = []
    private var inFlight = CircularBuffer<InFlight>()
    /// Finished ACK … NEXT commands that wait for their slot's next job to be enqueued, and their lengths.
    private var held = ByteBuffer()
    private var heldLengths = CircularBuffer<Int>()
    private var lastToken: Int64 = 0
    private var now: Int64 = 0
    private var isDone = false

    init(_ run: LoadRun) {
        self.run = run
        dialect = run.dialect
    }

    /// Starts every slot. Call it once, when the channel is connected.
    func begin(_ channel: any Channel) {
        now = Int64(NIODeadline.now().uptimeNanoseconds)
        if let password = run.plan.password {
            output.writeBytes(CommandText.of(["AUTH", password]))
            inFlight.append(InFlight(step: .setup, jobs: 0, sentAt: now))
        }
        if run.plan.peer == .beanstalkd {
            for command in BeanstalkDialect.setup(run.plan) {
                output.writeBytes(command)
                inFlight.append(InFlight(step: .setup, jobs: 0, sentAt: now))
            }
        }
        for _ in 0..<run.plan.pipeline { startJob() }
        channel.writeAndFlush(output, promise: nil)
        output.clear()
        noteIfDone()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        if partial.readableBytes > 0 {
            partial.writeBuffer(&buffer)
            swap(&buffer, &partial)
            partial = ByteBuffer()
        }
        now = Int64(NIODeadline.now().uptimeNanoseconds)
        do {
            let used = try takeReplies(buffer.readableBytesUInt8Span)
            buffer.moveReaderIndex(forwardBy: used)
            if buffer.readableBytes > 0 { partial = buffer }
        } catch {
            run.fail(error)
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if output.readableBytes > 0 {
            context.writeAndFlush(wrapOutboundOut(output), promise: nil)
            output.clear()
        }
        noteIfDone()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if !isDone { run.fail(BenchError("the server closed a connection")) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        run.fail(BenchError("a connection failed: \(error)"))
        context.close(promise: nil)
    }

    private func noteIfDone() {
        guard !isDone, inFlight.isEmpty else { return }
        isDone = true
        run.connectionIsDone()
    }
}

extension LoadConnection {
    /// Acts on every whole reply; how many bytes they had.
    private func takeReplies(_ bytes: Span<UInt8>) throws(BenchError) -> Int {
        var position = 0
        while position < bytes.count, let end = try scan(bytes, from: position) {
            try take(bytes)
            position = end
        }
        return position
    }

    private func scan(_ bytes: Span<UInt8>, from position: Int) throws(BenchError) -> Int? {
        run.plan.peer == .beanstalkd
            ? try scanner.scanBeanstalk(bytes, from: position) : try scanner.scan(bytes, from: position)
    }

    /// Acts on the reply that was scanned last.
    private func take(_ bytes: Span<UInt8>) throws(BenchError) {
        guard let command = inFlight.popFirst() else { throw BenchError("the server sent a reply to nothing") }
        try refuseErrors(bytes)
        switch command.step {
        case .setup: break
        case .add, .firstAdd:
            record(.add, command)
            added(command)
        case .reserve:
            record(.reserve, command)
            try reserved(command, bytes)
        case .acknowledgeNext:
            record(.acknowledgeNext, command)
            run.finish(1)
            try reserved(command, bytes)
        case .acknowledge:
            record(.acknowledge, command)
            run.finish(command.jobs)
            if command.rest > 0 { sendReserve(command.rest) } else { startJob() }
        }
    }

    private func refuseErrors(_ bytes: Span<UInt8>) throws(BenchError) {
        for leaf in scanner.leaves where leaf.kind == ReplyScanner.error {
            let text = leaf.range.map { bytes[$0] }
            throw BenchError("the server answered: \(String(decoding: text, as: UTF8.self))")
        }
    }

    private func record(_ kind: LoadCommand, _ command: InFlight) {
        run.latencies[kind.rawValue].record(now - command.sentAt)
    }

    private func startJob() {
        guard let numbers = run.claim() else { return }
        switch run.plan.mode {
        case .drain: sendReserve(numbers.count)
        case .cycleNext: sendAdd(numbers, .firstAdd)
        case .cycle, .enqueue, .madd: sendAdd(numbers, .add)
        }
    }

    private func added(_ command: InFlight) {
        switch run.plan.mode {
        case .enqueue:
            run.finish(command.jobs)
            startJob()
        case .cycleNext where command.step == .add: sendHeld()
        default: sendReserve(command.jobs)
        }
    }

    private func reserved(_ command: InFlight, _ bytes: Span<UInt8>) throws(BenchError) {
        tasks.removeAll(keepingCapacity: true)
        try dialect.tasks(scanner.leaves, in: bytes, into: &tasks)
        guard !tasks.isEmpty else {
            if run.enterEmptyReserve() { sendReserve(command.jobs) }
            return
        }
        run.enter(tasks, in: bytes, lastToken: &lastToken)
        if run.plan.mode == .cycleNext, let numbers = run.claim() {
            let before = held.writerIndex
            dialect.acknowledge(tasks, in: bytes, next: true, to: &held)
            heldLengths.append(held.writerIndex - before)
            sendAdd(numbers, .add)
            return
        }
        dialect.acknowledge(tasks, in: bytes, next: false, to: &output)
        let rest = max(0, command.jobs - tasks.count)
        inFlight.append(InFlight(step: .acknowledge, jobs: tasks.count, rest: rest, sentAt: now))
    }

    private func sendAdd(_ numbers: Range<Int>, _ step: InFlight.Step) {
        dialect.add(numbers, to: &output)
        inFlight.append(InFlight(step: step, jobs: numbers.count, sentAt: now))
    }

    private func sendReserve(_ count: Int) {
        dialect.reserve(count, to: &output)
        inFlight.append(InFlight(step: .reserve, jobs: count, sentAt: now))
    }

    private func sendHeld() {
        guard let length = heldLengths.popFirst(), var command = held.readSlice(length: length) else { return }
        output.writeBuffer(&command)
        if held.readableBytes == 0 { held.clear() }
        inFlight.append(InFlight(step: .acknowledgeNext, jobs: 1, sentAt: now))
    }
}

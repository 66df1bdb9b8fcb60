import NIOCore
import NIOPosix

/// A short-lived connection for what is asked before a run: all commands at once, the first leaf of every reply.
final class ControlConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var missing: Int
    private var received = ByteBuffer()
    private var answers: [[UInt8]] = []
    private var answer: EventLoopPromise<[[UInt8]]>?

    private init(expects: Int, answer: EventLoopPromise<[[UInt8]]>) {
        missing = expects
        self.answer = answer
    }

    /// Sends `commands` and returns what each was answered. An error reply is thrown as `BenchError`.
    static func exchange(_ commands: [[UInt8]], with plan: BenchPlan, on loop: any EventLoop) async throws -> [[UInt8]]
    {
        let answer = loop.makePromise(of: [[UInt8]].self)
        let expects = commands.count
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let handler = ControlConnection(expects: expects, answer: answer)
                        try channel.pipeline.syncOperations.addHandler(handler)
                    }
                }
                .connect(host: plan.host, port: plan.port).get()
        } catch {
            answer.fail(error)
            throw BenchError("cannot connect to \(plan.host):\(plan.port): \(error)")
        }
        channel.writeAndFlush(ByteBuffer(bytes: commands.joined()), promise: nil)
        let answers = try await answer.futureResult.get()
        try? await channel.close().get()
        return answers
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        received.writeBuffer(&buffer)
        do {
            try takeReplies()
        } catch {
            end(.failure(error))
        }
        if missing == 0 { end(.success(answers)) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(.failure(BenchError("the server closed the connection")))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(.failure(error))
        context.close(promise: nil)
    }

    private func takeReplies() throws(BenchError) {
        var scanner = ReplyScanner()
        let bytes = Array(received.readableBytesView)
        var position = 0
        while missing > 0, let end = try scanner.scan(bytes.span, from: position) {
            guard let leaf = scanner.leaves.first else { throw BenchError("the server sent an empty array") }
            let content = Array(bytes[leaf.range])
            if leaf.kind == ReplyScanner.error {
                throw BenchError("the server answered: \(String(decoding: content, as: UTF8.self))")
            }
            answers.append(content)
            missing -= 1
            position = end
        }
        received.moveReaderIndex(forwardBy: position)
    }

    private func end(_ result: Result<[[UInt8]], any Error>) {
        answer?.completeWith(result)
        answer = nil
    }
}

import MartletProtocol
import NIOCore
import NIOPosix
import Testing

/// The simplest client there is: one command at a time, sent again on a new connection until it is answered.
actor ResendingConnection {
    private let port: Int
    private var open: (any Channel)?
    private var answers: AsyncStream<RESPValue>.Iterator?

    init(port: Int) { self.port = port }

    func ask(_ words: String...) async throws -> RESPValue { try await ask(words) }

    func expectOK(_ words: String...) async throws {
        let answer = try await ask(words)
        #expect(answer.text == "OK", "\(words.first ?? ""): \(answer)")
    }

    func close() async { try? await open?.close() }

    private func ask(_ words: [String]) async throws -> RESPValue {
        var bytes = ByteBuffer()
        var command = RESPCommand(words[0])
        for word in words.dropFirst() { command.append(.text(word)) }
        command.encode(into: &bytes)
        while true {
            guard let channel = try? await connected() else { continue }
            channel.writeAndFlush(bytes, promise: nil)
            var answers = self.answers
            let answer = await answers?.next(isolation: self)
            self.answers = answers
            if let answer { return answer }
            try? await channel.close()
            open = nil
        }
    }

    private func connected() async throws -> any Channel {
        if let open { return open }
        let (answers, heard) = AsyncStream.makeStream(of: RESPValue.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AnswerHandler(heard))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        open = channel
        self.answers = answers.makeAsyncIterator()
        return channel
    }
}

private final class AnswerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let heard: AsyncStream<RESPValue>.Continuation
    private var parser = RESPValueParser()
    private var buffer = ByteBuffer()

    init(_ heard: AsyncStream<RESPValue>.Continuation) { self.heard = heard }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var data = unwrapInboundIn(data)
        buffer.writeBuffer(&data)
        while let value = try? parser.next(from: &buffer) { heard.yield(value) }
    }

    func channelInactive(context: ChannelHandlerContext) { heard.finish() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

import MartletClient
import NIOCore
import NIOPosix

/// A broker that answers by a script, to see what the client makes of answers a real one seldom gives.
final class ScriptedServer: Sendable {
    /// What to answer to a command: the bytes on the wire; `nil`: nothing.
    typealias Script = @Sendable ([String]) -> String?

    let port: Int
    /// Every command but the greeting, in the order of arrival.
    let commands: AsyncStream<[String]>
    private let listener: any Channel

    init(_ script: @escaping Script) async throws {
        let (commands, heard) = AsyncStream.makeStream(of: [String].self)
        self.commands = commands
        listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ScriptHandler(script, heard))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = listener.localAddress?.port ?? 0
    }

    var configuration: MartletConfiguration { MartletConfiguration(port: port) }

    /// The next command of that name.
    func next(_ name: String) async -> [String]? {
        for await command in commands where command.first == name { return command }
        return nil
    }

    deinit { listener.close(promise: nil) }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let script: ScriptedServer.Script
    private let heard: AsyncStream<[String]>.Continuation
    private var parser = RESPValueParser()
    private var buffer = ByteBuffer()

    init(_ script: @escaping ScriptedServer.Script, _ heard: AsyncStream<[String]>.Continuation) {
        self.script = script
        self.heard = heard
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var data = unwrapInboundIn(data)
        buffer.writeBuffer(&data)
        while let command = try? parser.next(from: &buffer) {
            let words = (command.elements ?? []).map { $0.text ?? "" }
            let isGreeting = words.first == "HELLO" || words.first == "CLIENT"
            if !isGreeting { heard.yield(words) }
            guard let reply = script(words) ?? (isGreeting ? "+OK\r\n" : nil) else { continue }
            context.writeAndFlush(NIOAny(ByteBuffer(string: reply)), promise: nil)
        }
    }
}

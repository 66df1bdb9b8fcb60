import MartletProtocol
import NIOCore
import NIOPosix

/// Makes a link's sockets.
enum LinkBootstrap {
    /// On the link's own loop.
    static func connect(_ link: Link, epoch: Int) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: link.loop)
            .connectTimeout(TimeAmount(link.configuration.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ReplyHandler(link: link, epoch: epoch))
                }
            }
            .connect(host: link.configuration.host, port: link.configuration.port)
    }
}

/// What a connection says first. Only the answer to HELLO matters.
enum Greeting {
    /// The name makes the broker send signs of life while a call is blocked.
    static let library = "martlet"
    static let version = "0.1.0"

    static func commands(_ configuration: MartletConfiguration) -> [RESPCommand] {
        var hello = RESPCommand("HELLO", 3)
        if let password = configuration.password {
            hello.append(.text("AUTH"))
            hello.append("default", .text(password))
        }
        return [hello, RESPCommand("CLIENT", "SETINFO", "LIB-NAME", .text(library))]
    }
}

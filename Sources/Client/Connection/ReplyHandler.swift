import MartletProtocol
import NIOCore

/// Turns one connection's bytes into replies and hands them to its link, on the link's event loop.
final class ReplyHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let link: Link
    /// Which of the link's connections this is: news of an older one is ignored there.
    private let epoch: Int
    private var parser = RESPValueParser()
    private var buffer = ByteBuffer()
    private var broken = false

    init(link: Link, epoch: Int) {
        self.link = link
        self.epoch = epoch
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !broken else { return }
        var data = unwrapInboundIn(data)
        if buffer.readableBytes == 0 { buffer = data } else { buffer.writeBuffer(&data) }
        var replies: [RESPValue] = []
        var failure: RESPValueError?
        do throws(RESPValueError) {
            while let reply = try parser.next(from: &buffer) { replies.append(reply) }
        } catch {
            broken = true
            failure = error
        }
        buffer.discardReadBytes()
        let (link, epoch) = (link, epoch)
        let (read, reason) = (replies, failure?.description)
        link.assumeIsolated {
            for reply in read { $0.received(reply, epoch: epoch) }
            if let reason { $0.lost(epoch: epoch, "the other end does not speak RESP: \(reason)") }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        let epoch = epoch
        link.assumeIsolated { $0.lost(epoch: epoch, "closed by the other end") }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let (epoch, reason) = (epoch, "\(error)")
        link.assumeIsolated { $0.lost(epoch: epoch, reason) }
    }
}

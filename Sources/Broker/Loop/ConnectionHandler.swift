import NIOCore

/// Between a socket and the broker: raw bytes in, raw bytes out. Confined to the event loop.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let broker: Broker
    private var connection: Connection?

    init(broker: Broker) { self.broker = broker }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { open(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        open(context)
        context.fireChannelActive()
    }

    private func open(_ context: ChannelHandlerContext) {
        guard connection == nil else { return }
        connection = broker.accept(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let connection else { return }
        broker.received(unwrapInboundIn(data), connection)
    }

    func read(context: ChannelHandlerContext) {
        if let connection, connection.isPaused {
            connection.owesRead = true
        } else {
            context.read()
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let connection { broker.closed(connection) }
        connection = nil
        context.fireChannelInactive()
    }

    /// A reset or a broken pipe is how many clients leave: no more than a close.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

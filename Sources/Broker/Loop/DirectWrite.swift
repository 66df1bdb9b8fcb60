import Glibc
import MartletProtocol
import NIOCore

/// Replies given to the socket at once, past the channel's queue of writes.
///
/// Nearly every reply fits the socket's buffer. For those the queue, its promise and its buffer are all overhead:
/// about a tenth of the broker's time when many clients send one command each (decision 019). Only for a channel
/// whose queue is empty, and without a handler that changes bytes on their way, as TLS does.
struct DirectWrite {
    private let socket: NIOBSDSocket.Handle

    /// `nil`: the channel has no socket to write to.
    init?(_ context: ChannelHandlerContext) {
        let handle = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(
            of: NIOBSDSocket.Handle.self, { $0 })
        guard let handle else { return nil }
        socket = handle
    }

    /// Writes as much of `bytes` as the socket takes.
    /// - Returns: how many bytes it took. The rest is the channel's to write: it waits until the socket takes more, and
    ///   finds out when it never will.
    func send(_ bytes: Bytes, _ context: ChannelHandlerContext) -> Int {
        // A closed channel's number may already be another connection's.
        guard context.channel.isActive else { return 0 }
        return max(0, unsafe bytes.withUnsafeBytes { unsafe Glibc.send(socket, $0.baseAddress, $0.count, Self.flags) })
    }

    private static let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
}

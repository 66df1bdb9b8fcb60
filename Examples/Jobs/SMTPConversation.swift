import MartletClient
import NIOCore
import NIOPosix

/// Hands one mail to a mail server (RFC 5321), without encryption: for a relay on the same machine.
///
/// A refusal with 4xx passes (kind `ServiceUnavailable`), one with 5xx is for good.
enum SMTPConversation {
    /// Longest line of an answer that is read.
    private static let longestLine = 4_096

    static func send(_ message: Message, host: String, port: Int) async throws {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(.seconds(10))
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw TaskFailure("no connection to \(host):\(port): \(error)", kind: "NetworkTimeout")
        }
        try await channel.executeThenClose { inbound, outbound in
            var input = inbound.makeAsyncIterator()
            var buffer = ByteBuffer()
            for step in steps(message) {
                if let text = step.text { try await outbound.write(ByteBuffer(string: text + "\r\n")) }
                let answer = try await answer(&input, &buffer)
                guard answer.hasPrefix(step.expected) else { throw failure(answer) }
            }
        }
    }

    /// What is said, and how the answer to it begins.
    private static func steps(_ message: Message) -> [(text: String?, expected: String)] {
        // A line that is a single dot would end the mail: every leading dot is doubled.
        let lines = message.text.split(separator: "\r\n", omittingEmptySubsequences: false)
        let data = lines.map { $0.hasPrefix(".") ? ".\($0)" : String($0) }.joined(separator: "\r\n") + "."
        return [
            (nil, "220"), ("EHLO localhost", "250"), ("MAIL FROM:<\(message.from)>", "250"),
            ("RCPT TO:<\(message.to)>", "25"), ("DATA", "354"), (data, "250"), ("QUIT", "221"),
        ]
    }

    /// The last line of an answer: the one with a space behind its code.
    private static func answer(
        _ input: inout NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator, _ buffer: inout ByteBuffer
    ) async throws -> String {
        while true {
            while let end = buffer.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer.readString(length: end - buffer.readerIndex + 1) ?? ""
                if line.count < 4 || line.dropFirst(3).first != "-" { return line.filter { !$0.isNewline } }
            }
            guard buffer.readableBytes <= longestLine, var more = try await input.next(isolation: #isolation) else {
                throw TaskFailure("the mail server broke off", kind: "NetworkTimeout")
            }
            buffer.writeBuffer(&more)
        }
    }

    private static func failure(_ answer: String) -> TaskFailure {
        answer.hasPrefix("5")
            ? .dead("the mail server refused: \(answer)", kind: "PermanentError")
            : TaskFailure("the mail server said: \(answer)", kind: "ServiceUnavailable")
    }
}

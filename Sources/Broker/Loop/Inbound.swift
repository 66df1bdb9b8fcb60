import MartletProtocol
import NIOCore

/// What came from a client and has not been used up, and how far the parser has looked at it.
///
/// One value with few doors: each use of a variable of a class is checked for exclusive access when the program runs,
/// and this is used several times for every command.
struct Inbound {
    enum Outcome {
        /// No whole request is there.
        case incomplete
        /// The next request, of so many bytes. `pass` goes on behind it.
        case request(Request, size: Int)
        /// One that is too big to keep. `pass` goes on behind it.
        case tooBig
        case invalid(ProtocolViolation)
    }

    /// Where it stood: enough to come back.
    struct Mark {
        let readerIndex: Int
        let parser: RequestParser.Mark
    }

    private var bytes = ByteBuffer()
    private var parser: RequestParser

    init(isAuthenticated: Bool) { parser = RequestParser(isAuthenticated: isAuthenticated) }

    /// Bytes that wait.
    var count: Int { bytes.readableBytes }

    /// Whether the client may send as much as the limits allow.
    var isAuthenticated: Bool {
        get { parser.isAuthenticated }
        set { parser.isAuthenticated = newValue }
    }

    mutating func append(_ received: ByteBuffer, _ buffers: ReceiveBuffers) {
        if bytes.readableBytes == 0 {
            bytes = buffers.keep(received)
        } else {
            bytes.writeImmutableBuffer(received)
        }
    }

    mutating func next() -> Outcome {
        guard bytes.readableBytes > 0 else { return .incomplete }
        switch parser.next(in: &bytes) {
        case .incomplete: return .incomplete
        case .request: return .request(parser.request(in: bytes), size: parser.consumed)
        case .tooBig: return .tooBig
        case .invalid(let violation): return .invalid(violation)
        }
    }

    /// The request just found is done with.
    mutating func pass() {
        bytes.moveReaderIndex(forwardBy: parser.consumed)
        parser.advance()
    }

    var mark: Mark { Mark(readerIndex: bytes.readerIndex, parser: parser.mark) }

    mutating func rewind(to mark: Mark) {
        bytes.moveReaderIndex(to: mark.readerIndex)
        parser.rewind(to: mark.parser)
    }

    /// Frees what an idle client needs no more: bytes used up, and room that was only needed for them.
    mutating func compact() {
        guard bytes.readableBytes > 0 else {
            bytes = ByteBuffer()
            return
        }
        if bytes.readableBytes * 4 < bytes.storageCapacity {
            bytes = ByteBuffer(bytes: bytes.readableBytesView)
        } else if bytes.readerIndex > 64 * 1024 {
            bytes.discardReadBytes()
        }
    }
}

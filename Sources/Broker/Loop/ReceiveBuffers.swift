import NIOCore

/// The buffers sockets are read into: of a fixed size, shared by all connections, so that an idle one holds none.
///
/// Most reads are small: their bytes are copied out and the buffer serves the next read. A large read keeps it.
struct ReceiveBuffers: RecvByteBufferAllocator {
    static let size = 32 * 1024
    /// A channel never lets go of the first buffer it got, so that one is small.
    private static let firstSize = 256
    /// Reads below it are copied.
    private static let smallRead = size / 4
    private static let mostSpares = 4

    private let spares: NIOLoopBoundBox<[ByteBuffer]>
    private var hasRead = false

    init(loop: any EventLoop) { spares = NIOLoopBoundBox([], eventLoop: loop) }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        guard hasRead else { return allocator.buffer(capacity: Self.firstSize) }
        guard var spare = spares.value.popLast() else { return allocator.buffer(capacity: Self.size) }
        // Only now: while the read it served was passed on, others held it too and emptying would have copied it.
        spare.clear()
        return spare
    }

    /// `nil` keeps a channel from using its first buffer again.
    func nextBufferSize() -> Int? { nil }

    mutating func record(actualReadBytes: Int) -> Bool {
        hasRead = true
        return false
    }

    /// Takes the bytes of a read out of the buffer it came in, if they are few.
    func keep(_ read: ByteBuffer) -> ByteBuffer {
        guard read.readableBytes < Self.smallRead, read.capacity >= Self.size, spares.value.count < Self.mostSpares
        else { return read }
        let bytes = ByteBuffer(bytes: read.readableBytesView)
        spares.value.append(read)
        return bytes
    }
}

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
    /// Whether this channel has its first buffer.
    private let hasFirst: NIOLoopBoundBox<Bool>

    init(loop: any EventLoop) {
        spares = NIOLoopBoundBox([], eventLoop: loop)
        hasFirst = NIOLoopBoundBox(true, eventLoop: loop)
    }

    /// The same buffers for one more channel.
    func forChannel(on loop: any EventLoop) -> ReceiveBuffers {
        ReceiveBuffers(spares: spares, hasFirst: NIOLoopBoundBox(false, eventLoop: loop))
    }

    private init(spares: NIOLoopBoundBox<[ByteBuffer]>, hasFirst: NIOLoopBoundBox<Bool>) {
        (self.spares, self.hasFirst) = (spares, hasFirst)
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        guard hasFirst.value else {
            hasFirst.value = true
            return allocator.buffer(capacity: Self.firstSize)
        }
        guard var spare = spares.value.popLast() else { return allocator.buffer(capacity: Self.size) }
        // Only now: while the read it served was passed on, others held it too and emptying would have copied it.
        spare.clear()
        return spare
    }

    /// `nil` keeps a channel from using its first buffer again.
    func nextBufferSize() -> Int? { nil }

    /// `true` as well: with `false` a channel reads into its small first buffer for ever.
    func record(actualReadBytes: Int) -> Bool { true }

    /// Takes the bytes of a read out of the buffer it came in, if they are few.
    func keep(_ read: ByteBuffer) -> ByteBuffer {
        guard read.readableBytes < Self.smallRead, read.capacity >= Self.size, spares.value.count < Self.mostSpares
        else { return read }
        let bytes = ByteBuffer(bytes: read.readableBytesView)
        spares.value.append(read)
        return bytes
    }
}

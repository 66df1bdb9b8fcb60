import MartletClient
import NIOCore
import NIOPosix

/// Stands between client and broker and cuts each connection after a random number of bytes, anywhere: in a command, in
/// a reply, or between them.
final class CuttingProxy: Sendable {
    let port: Int
    private let listener: any Channel
    private let cuts: Cuts

    /// - Parameter budget: how many bytes, of both directions, a connection lives for.
    init(target: Int, seed: UInt64, budget: ClosedRange<Int>) async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let cuts = Cuts(loop: loop, seed: seed, budget: budget)
        self.cuts = cuts
        listener = try await ServerBootstrap(group: loop)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { front in
                let bytes = cuts.nextLife()
                return ClientBootstrap(group: loop)
                    .channelOption(.autoRead, value: false)
                    .connect(host: "127.0.0.1", port: target)
                    .flatMapThrowing { back in
                        let life = Life(bytes: bytes, cuts: cuts)
                        try front.pipeline.syncOperations.addHandler(Pump(to: back, life: life))
                        try back.pipeline.syncOperations.addHandler(Pump(to: front, life: life))
                        for channel in [front, back] { try channel.syncOptions?.setOption(.autoRead, value: true) }
                    }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = listener.localAddress?.port ?? 0
    }

    var configuration: MartletConfiguration {
        var configuration = MartletConfiguration(port: port)
        configuration.reconnectBase = .milliseconds(1)
        configuration.reconnectCap = .milliseconds(20)
        return configuration
    }

    /// How many connections were cut so far.
    var cutCount: Int {
        get async throws { try await cuts.loop.submit { [cuts] in cuts.count }.get() }
    }

    /// From now on no connection is cut.
    func heal() async throws { try await cuts.loop.submit { [cuts] in cuts.healed = true }.get() }

    deinit { listener.close(promise: nil) }
}

/// The lives of the connections, drawn from a seed. Confined to one event loop: that is why it may be shared.
private final class Cuts: @unchecked Sendable {
    let loop: any EventLoop
    private var random: SeededRandom
    private let budget: ClosedRange<Int>
    var count = 0
    var healed = false

    init(loop: any EventLoop, seed: UInt64, budget: ClosedRange<Int>) {
        self.loop = loop
        self.budget = budget
        random = SeededRandom(state: seed)
    }

    func nextLife() -> Int { Int.random(in: budget, using: &random) }
}

/// What is left of one connection, in bytes of both directions. Confined to the proxy's event loop.
private final class Life {
    private var bytes: Int
    private let cuts: Cuts

    init(bytes: Int, cuts: Cuts) {
        self.bytes = bytes
        self.cuts = cuts
    }

    /// How many of `wanted` bytes may still pass.
    func spend(_ wanted: Int) -> Int {
        guard !cuts.healed else { return wanted }
        let granted = min(bytes, wanted)
        bytes -= granted
        if granted < wanted { cuts.count += 1 }
        return granted
    }
}

/// Passes bytes on in one direction until the connection's life is over.
private final class Pump: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel
    private let life: Life

    init(to other: any Channel, life: Life) {
        self.other = other
        self.life = life
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var data = unwrapInboundIn(data)
        let granted = life.spend(data.readableBytes)
        let cut = granted < data.readableBytes
        if let part = data.readSlice(length: granted) { other.writeAndFlush(part, promise: nil) }
        if cut {
            other.close(promise: nil)
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}

/// SplitMix64: the same numbers for the same seed.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

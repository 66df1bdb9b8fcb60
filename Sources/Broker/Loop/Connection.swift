import MartletEngine
import MartletProtocol
import NIOCore

/// One client. Confined to the event loop.
final class Connection {
    /// A blocked call and what is to be sent while it lasts.
    struct Blocked {
        /// Milliseconds between pushes; `nil`: none are sent.
        var keepalive: Milliseconds?
        /// When the next push is due.
        var nextPush: Timestamp
        /// Pushes sent so far.
        var pushes: Int64 = 0
        /// It waits for the stream, not for the engine.
        var read: StreamRead?
    }

    /// What the next command in the buffer needs.
    enum Need {
        case nothing
        case reading
        case writing
    }

    /// The engine knows the connection by it.
    let id: CallerID
    let address: String
    let connectedAt: Timestamp
    /// Unread replies past which its commands wait. Clients that send a whole pipeline before they read, as redis-py
    /// does, need room for its replies.
    let outputLimit: Int
    var context: ChannelHandlerContext?
    var direct: DirectWrite?

    var inbound: Inbound
    /// Replies of the group that is running.
    var output = ReplyWriter()
    /// Bytes of `output` that the group has counted.
    var countedOutput = 0
    /// Bytes of replies that wait for the disk.
    var held = 0
    /// Handed to the socket and not yet taken by it.
    var outstanding = 0
    /// The largest flush among them: what a slow client is allowed to be receiving.
    var largestFlush = 0

    var need = Need.nothing
    /// It stands in the queue of the next group.
    var isReady = false
    var blocked: Blocked?
    /// `inbound` may hold whole commands that could not be run yet.
    var mayHaveCommands = false
    /// After the replies are out the connection ends; nothing more is parsed.
    var isClosing = false
    var isClosed = false
    /// Socket reads are held back; one is owed if `owesRead`.
    var isPaused = false
    var owesRead = false
    /// Bytes of `inbound` that count towards the total.
    var countedInbound = 0
    /// The group in which its state was last noted for going back.
    var notedIn = 0
    /// The group in which one of its commands was last run.
    var servedIn = 0
    /// Hand-outs whose reply is in `output`.
    var handOuts: [(id: TaskID, token: Int64)] = []
    /// Bytes handed to the socket, ever.
    var handedOver = 0
    /// How many of them it had taken at the last look for a stall.
    var takenAtLastLook = 0

    var isAuthenticated: Bool { didSet { inbound.isAuthenticated = isAuthenticated } }
    /// What NEXT repeats.
    var lastReserve: ReserveRequest?
    var lastKeepalive: Milliseconds?
    /// How often the blocking command that is run wants to be kept alive; `nil`: it did not say.
    var keepalive: Milliseconds?
    var name = Bytes()
    var libraryName = Bytes()
    var libraryVersion = Bytes()
    var lastCommand: Command?
    /// Changed by the hub alone.
    var subscriptions = Subscriptions()
    /// As a monitor it was not shown everything.
    var missesCommands = false
    var lastActive: Timestamp

    init(id: CallerID, address: String, now: Timestamp, isAuthenticated: Bool, outputLimit: Int) {
        (self.id, self.address, self.connectedAt, self.lastActive) = (id, address, now, now)
        self.outputLimit = outputLimit
        self.isAuthenticated = isAuthenticated
        inbound = Inbound(isAuthenticated: isAuthenticated)
    }

    /// In RESP2 a connection that listens can do little else: its replies could not be told from messages.
    var isListening: Bool { subscriptions.count > 0 && output.version == .two }

    /// Whether more of its commands may be run now.
    var canRun: Bool { blocked == nil && !isClosing && !isClosed && !isFull }

    /// It does not read its replies: it gets no more until it does.
    var isFull: Bool { outstanding + held + output.bytes.count > outputLimit }

    /// Replies to it are on their way, or will be.
    var awaitsReplies: Bool { outstanding + held + output.bytes.count > 0 }

    /// What is queued for it beyond the one flush being sent.
    var excess: Int { max(0, outstanding - largestFlush) }

    /// How often a blocked call of it is kept alive: as asked for, else every 2 s for libraries that expect it.
    var keepaliveInterval: Milliseconds? {
        guard output.version == .three else { return nil }
        if let keepalive { return max(keepalive, Self.shortestKeepalive) }
        let expects = Self.keptAlive.contains { libraryName.starts(with: $0) }
        return expects ? 2_000 : nil
    }

    static let shortestKeepalive: Milliseconds = 10
    private static let keptAlive = [Array("redis-py".utf8), Array("martlet".utf8)]
}

/// How much may wait to be parsed.
enum InputLimits {
    /// Reads stop while a connection that cannot run its commands holds so much.
    static let idle = 64 * 1024
}

/// How much one part of a group does before it is committed: what needs no storage, what reads, what writes.
enum GroupLimits {
    static let commands = 2_000
    /// From so many commands on the next group runs while this one is flushed: for fewer, waking another thread costs
    /// more than waiting for the disk.
    static let flushedBeside = 64
    /// How many commands one counts for that may look at thousands of entries.
    static let slowCommand = 200
    /// Bytes of the requests that write.
    static let bytes = 32 * 1024 * 1024
    /// Bytes of replies after which one part runs no further commands; less if one client may have less unread.
    static let replies = 16 * 1024 * 1024
    /// Fewer bytes of one connection's replies are not counted yet.
    static let countedAtOnce = 1_024
    /// Entries of bookkeeping.
    static let upkeep = 1_000
}

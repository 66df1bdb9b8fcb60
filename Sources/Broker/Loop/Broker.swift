import Logging
import MartletEngine
import MartletProtocol
import MartletStorage
import NIOCore

/// The owner of the engine and of every connection. Confined to one event loop; nothing in it is shared.
///
/// The way of a command: `received` (bytes into the connection's buffer) → `runGroup` (once per round of the event
/// loop: reads on a snapshot, then all writes of the round in one transaction) → durable → `send`.
final class Broker {
    let configuration: BrokerConfiguration
    let loop: NIOIsolatedEventLoop
    let store: TaskStore
    let logger: Logger
    let password: PasswordHash?
    let table = CommandTable.all
    /// How many damaged records the log knows of.
    var reportedDamage = 0
    let receiveBuffers: ReceiveBuffers
    var memoryUse = MemoryUse()
    var clock: BrokerClock
    var gate = StorageGate()
    var statistics = Statistics()
    /// Connections that are shown what is run.
    var monitors: [CallerID: Connection] = [:]
    /// What this round ran, as lines for the monitors; and how many commands found no room there.
    var monitored = ByteBuffer()
    var monitoredSkips = 0
    var slowLog = SlowLog()
    var hub = Hub()
    /// Connections that wait for the stream, and when the first of them waits no more.
    var followers: [CallerID: Connection] = [:]
    var nextFollowerEnd: Timestamp = .max
    /// Something was committed that they may wait for.
    var hasNewMoves = false
    /// The engine knows that somebody listens.
    var isHeard = false

    var connections: [CallerID: Connection] = [:]
    var lastConnection: CallerID = 0
    /// Connections with bytes to parse, in the order in which they came.
    var ready: [Connection] = []
    /// A group will run at the end of this round.
    var isScheduled = false
    var group: Group
    /// What replies are written to: emptied, for the next round.
    var spareReplies: [Bytes] = []
    /// Connections with something in `output`, and those whose paused state may have changed.
    var touched: [Connection] = []
    var totalInbound = 0
    var totalExcess = 0
    var totalOutstanding = 0

    var timer: Scheduled<Void>?
    var timerAt: Timestamp = .max
    /// What the engine said it has to do next.
    var engineInstant: Timestamp?
    /// How operations on many tasks share the loop with commands.
    var operations = OperationTurns()
    /// Blocked connections that are sent pushes, and the earliest push.
    var keptAlive: [CallerID: Connection] = [:]
    var nextPush: Timestamp = .max
    var stalled: [CallerID: Connection] = [:]
    var nextStallCheck: Timestamp = .max
    var nextIdleCheck: Timestamp = .max
    var settling = Settling()
    /// Who waits for a look at all data that goes on.
    var studying: CallerID?
    var flusher = Flusher()
    /// Hand-outs that did not reach their client.
    var lost: [(id: TaskID, token: Int64)] = []

    var listener: (any Channel)?
    var stopping: EventLoopPromise<Void>?
    var isStopped = false
    /// What the owner waits for when a client asks for a stop.
    let stopRequested: EventLoopPromise<Void>
    let startedAt: Timestamp

    init(
        configuration: BrokerConfiguration, loop: NIOIsolatedEventLoop, logger: Logger, password: PasswordHash?,
        stopRequested: EventLoopPromise<Void>
    ) throws(StorageError) {
        self.stopRequested = stopRequested
        self.configuration = configuration
        (self.loop, self.logger, self.password) = (loop, logger, password)
        group = Group(outputLimit: configuration.outputOfOne)
        receiveBuffers = ReceiveBuffers(loop: loop.nonisolated())
        clock = BrokerClock(BrokerClock.read())
        startedAt = clock.now
        var random = SystemRandomNumberGenerator()
        store = try TaskStore(
            directory: configuration.dataDirectory,
            options: TaskStoreOptions(
                maxBytes: configuration.maxBytes, journalBytes: configuration.journalBytes,
                durability: configuration.durability),
            zones: ZoneFiles.table(),
            now: startedAt, seed: random.next())
        store.withEngine { $0.keepMoves(configuration.keepsEvents ? configuration.keptEvents : 0) }
    }

    /// It listens: what became due while it was away is done from now on.
    func begin(_ listener: any Channel) {
        self.listener = listener
        runUpkeep()
    }

    /// Reads the clocks. Called once a group, so that all its commands have one time.
    func readClock() -> Timestamp {
        let jump = clock.advance(to: BrokerClock.read())
        if jump != 0 { logger.warning("the clock was set; adopted", metadata: ["by_ms": "\(jump / 1_000)"]) }
        return clock.now
    }
}

/// The group that is running: what needs no storage, then what only reads, then what writes. Each part has its own
/// allowance, so that no client's endless pipeline of one kind keeps the others from running.
struct Group {
    /// Counts groups, so that a connection knows whether it was noted or served in this one.
    var number = 0
    /// Commands of this part.
    var commands = 0
    var bytes = 0
    var byteLimit = GroupLimits.bytes
    /// Bytes of replies of this part.
    var replies = 0
    let replyLimit: Int
    /// A part before this one left commands for the next group.
    private var wasFull = false
    /// When the last command that needs storage was done: from then on the next one counts.
    var mark: Int64 = 0
    /// Something may have become due: a look at a task makes it happen first.
    var mayBeDue = false
    /// Where every connection that was changed stood before.
    var notes: [ConnectionNote] = []

    init(outputLimit: Int) { replyLimit = min(GroupLimits.replies, outputLimit) }

    var isFull: Bool { commands >= GroupLimits.commands || bytes >= byteLimit || replies >= replyLimit }

    /// Commands were left for the next group.
    var leftSome: Bool { isFull || wasFull }

    mutating func begin() {
        number += 1
        (commands, bytes, byteLimit, replies, wasFull) = (0, 0, GroupLimits.bytes, 0, false)
        notes.removeAll(keepingCapacity: true)
    }

    mutating func beginPart() {
        wasFull = leftSome
        (commands, replies) = (0, 0)
    }
}

/// What it takes to undo what a group did to a connection.
struct ConnectionNote {
    let connection: Connection
    let inbound: Inbound.Mark
    let outputEnd: Int
    let handOuts: Int
    let blocked: Connection.Blocked?
    let isClosing: Bool

    init(_ connection: Connection) {
        self.connection = connection
        inbound = connection.inbound.mark
        outputEnd = connection.output.bytes.count
        handOuts = connection.handOuts.count
        blocked = connection.blocked
        isClosing = connection.isClosing
    }

    func restore() {
        connection.inbound.rewind(to: inbound)
        connection.output.cut(to: outputEnd)
        connection.countedOutput = min(connection.countedOutput, outputEnd)
        connection.handOuts.removeSubrange(handOuts...)
        connection.blocked = blocked
        connection.isClosing = isClosing
    }
}

public import MartletProtocol
public import MartletStorage

/// The broker's whole knowledge: what is queued, due, leased, ended. Synchronous and deterministic: no clock, no
/// randomness but the seed, no I/O but the transaction it is lent.
///
/// What it keeps in memory never runs ahead of the disk: every change within a group is undone when the group is given
/// up (`UndoLog`).
public struct Engine {
    var broker: BrokerRecord
    /// The broker's record, with the secret that keys are hashed by, lies on the disk.
    var isBrokerStored = false
    /// By queue number − 1.
    var queues: [QueueState] = []
    var queueNumbers: [Bytes: UInt32] = [:]
    var dueBounds = DueBounds()
    /// Numbers of queues that were deleted, for new ones.
    var freeQueues: [UInt32] = []
    var operations = Operations()
    /// Who waited for something that is over now, and what they are told.
    var finishedOperations: [(caller: CallerID, answer: Answer)] = []
    /// How many tasks a slice of an operation changes: small, so that others hardly wait.
    public var operationSlice = 100
    /// How many tasks a group changes at most because of what happened to another one, to their batch or to their
    /// queue; the others follow in further groups.
    public var waveSlice = 200
    /// How many it has changed so.
    var inWave = 0
    var waveLeft: Int { max(0, waveSlice - inWave) }
    var types = Names()
    var leases = Leases()
    var room = WaitingRoom()
    var watchers = Watchers()
    var drains = Drains()
    var workers = Workers()
    var crons = Crons()
    /// How deep ends of tasks that end others are nested.
    var endDepth = 0
    var activity = Activity()
    var events = Events()
    let zones: ZoneTable
    var nonces = Nonces()
    var limits = LimitTable()
    var breakers = BreakerTable()
    var limitSets = LimitSets()
    var limitLines = LimitLines()
    /// The limits that a task waits for which comes first, as far as a look for the next one has come.
    var shortage: Set<UInt32> = []
    /// What held queues back when a task was looked for last.
    var heldBack: [(gate: Gate, queue: UInt32)] = []
    /// No timer is set for before this.
    var timerBound: Timestamp = .min
    /// For jitter.
    var random: SplitMix64
    var undoLog = UndoLog()
    /// Queues that may have something for blocked callers.
    var touched: Set<UInt32> = []
    /// Blocked calls that another connection took over: their callers are told that there is nothing.
    var displaced: [CallerID] = []
    /// How many damaged records were met since the start, and the newest of them by name.
    public internal(set) var damaged: (count: Int, newest: String?) = (0, nil)

    init(broker: BrokerRecord, zones: ZoneTable, seed: UInt64) {
        self.broker = broker
        self.zones = zones
        random = SplitMix64(seed: seed)
    }

    /// Runs one operation. A refusal is an answer (`.refused`) and leaves no trace.
    /// - Throws: only what the disk is to blame for; then the whole group is to be given up.
    public mutating func apply(
        _ operation: Operation, now: Timestamp, in transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        switch operation {
        case .add(let request): try add(request, now, transaction)
        case .addMany(let request): try addMany(request, now, transaction)
        case .reserve(let request): try reserve(request, now, transaction)
        case .acknowledge(let request): try acknowledge(request, now, transaction)
        case .acknowledgeMany(let request): try acknowledgeMany(request, now, transaction)
        case .fail(let request): try fail(request, now, transaction)
        case .release(let request): try release(request, now, transaction)
        case .touch(let request): try touch(request, now, transaction)
        case .cancel(let request): try cancel(request, now, transaction)
        case .move(let request): try move(request, now, transaction)
        case .delete(let request): try delete(request, now, transaction)
        case .get(let request):
            try lookUp(request.id, operation, now, transaction)
        case .result(let id):
            try lookUp(id, operation, now, transaction)
        case .why(let id): try why(id, now, transaction)
        case .log(let request): try log(request, now, transaction)
        case .logs(let request): try lookUp(request.id, operation, now, transaction)
        case .wait(let request): try wait(request, now, transaction)
        case .hello(let request): try hello(request, now, transaction)
        case .beat(let request): try beat(request, now, transaction)
        case .order(let request): try order(request, now, transaction)
        case .bye(let request): try bye(request, now, transaction)
        case .workerList, .workerInfo: try lookAtWorkers(operation, now, transaction)
        case .cronSet(let request): try setCron(request, now, transaction)
        case .cron(let request): try cron(request, now, transaction)
        case .queueSet(let request): try set(request, now, transaction)
        case .queuePause(let request): try pause(request, now, transaction)
        case .queueResume(let request): try resume(request, now, transaction)
        case .queueDrain(let request): try drain(request, now, transaction)
        case .queueDelete(let request): try deleteQueue(request, now, transaction)
        case .bulk(let request): try start(request, now, transaction)
        case .stopOperation(let request): try stop(request, now, transaction)
        case .retry(let request): try retry(request, now, transaction)
        case .limitSet(let request): try set(request, now, transaction)
        case .limitTake(let request): try take(request, now, transaction)
        case .limitGive(let request): try give(request, now, transaction)
        case .limitDelete(let request): try delete(limit: request, now, transaction)
        case .limitReset(let request): try reset(limit: request, now, transaction)
        case .breakerSet(let request): try set(request, now, transaction)
        case .breaker(let request): try apply(request, now, transaction)
        case .breakerInfo, .breakerList: try lookAtWorkers(operation, now, transaction)
        case .batchNew(let request): try newBatch(request, now, transaction)
        case .batch(let request): try apply(request, now, transaction)
        case .setText(let request): try setText(request, now, transaction)
        case .deleteTexts(let keys): try deleteTexts(keys, now, transaction)
        case .expireText(let request): try expireText(request, now, transaction)
        case .flushTexts: try flushTexts(now, transaction)
        case .list, .queueInfo, .queueOptions, .queueList, .deadKinds, .operations, .cronGet, .cronList, .cronTimes,
            .limitInfo, .limitList, .batchInfo:
            try answer(operation, now: now, in: transaction)
        }
    }
}

/// A small generator of good quality (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

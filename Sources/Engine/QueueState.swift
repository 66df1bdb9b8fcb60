import MartletProtocol
import MartletStorage

/// What the broker knows of a queue without looking at its tasks. Kept in memory, stored once a group.
struct QueueState {
    let id: UInt32
    /// Empty: the number is free, or what it stood for is being removed.
    var name: Bytes
    /// What was set with QUEUE.SET.
    var settings = QueueSettings.none
    var pause = QueuePause()
    /// Nothing is added until it is resumed; what is there is finished.
    var isDraining = false
    /// Whether its waiting tasks stand in lines.
    var lining = Lining.none
    /// How their groups stand in rounds.
    var rounds = RoundOrder.turns
    /// The last of them that was put into a line, or out of it, while that is being done.
    var linedTo = KeyBytes()
    /// Its ended tasks that have no retention timers of their own.
    var kept = KeptLines()
    /// Its due tasks that a condition of their own may hold up.
    var dueCounts = DueCounts()

    /// Tasks now in each state, by the state's raw value.
    private(set) var counts = InlineArray<9, Int64>(repeating: 0)
    var totalAdded: Int64 = 0
    var totalCompleted: Int64 = 0
    /// Attempts.
    var totalFailed: Int64 = 0
    /// Entries of the waiting index in each range, due or not.
    private(set) var waiting = InlineArray<20, Int64>(repeating: 0)
    /// The ranges that have any.
    private(set) var occupied = Occupancy()

    /// How many hand-outs of a priority were contested between the lanes. Not stored: counts from the start.
    var contested = InlineArray<10, Int64>(repeating: 0)
    /// The open group changed it.
    var isChanged = false

    init(id: UInt32, name: Bytes) {
        self.id = id
        self.name = name
    }

    subscript(state: TaskState) -> Int64 { counts[Int(state.rawValue)] }

    mutating func count(_ state: TaskState, _ change: Int64) { counts[Int(state.rawValue)] += change }

    /// The parked ones are counted by their state alone.
    mutating func countWaiting(_ range: WaitingRange, _ change: Int64) {
        guard range.lane != .parked else { return }
        waiting[range.index] += change
        occupied.set(range.index, waiting[range.index] > 0)
    }

    /// Tasks in the retry lane, due or not.
    var retryDepth: Int64 {
        var depth: Int64 = 0
        for index in stride(from: 1, to: WaitingRange.count, by: 2) { depth += waiting[index] }
        return depth
    }

    var options: QueueOptions { settings.options }

    /// Per cent of contested hand-outs that go to the retry lane: as set, else 30; 20 from 1,000 retries waiting; 10
    /// from 5,000.
    var retryShare: Int {
        if let share = options.retryShare { return share }
        let depth = retryDepth
        return depth >= 5_000 ? 10 : depth >= 1_000 ? 20 : 30
    }

    /// Whether its groups take turns now.
    var takesTurns: Bool { lining == .full && rounds == .turns }

    /// The round in which the group of a task in this range has its turn.
    func round(of range: WaitingRange, limits: UInt16) -> Round {
        rounds == .turns
            ? Round(queue: id, limits: limits, priority: range.priority)
            : Round(queue: id, limits: limits, range: range)
    }

    func round(of key: WaitingKey) -> Round { round(of: key.range, limits: key.limits) }

    /// The rounds that a group may stand in with tasks that need these limits.
    func rounds(limits: UInt16) -> [Round] {
        guard lining != .none else { return [] }
        var open: [Round] = []
        for index in 0..<WaitingRange.count where waiting[index] > 0 {
            let round = round(of: WaitingRange(index: index), limits: limits)
            if open.last != round { open.append(round) }
        }
        return open
    }

    /// Tasks that MAXLEN bounds.
    var length: Int64 { self[.pending] + self[.scheduled] + self[.blocked] }

    /// Tasks whose life is not over.
    var unended: Int64 { length + self[.active] }

    /// Whether one more task may be in hand.
    var hasSlot: Bool { self[.active] < settings.options.concurrency ?? .max }

    /// `counts 9 × i64 │ added i64 │ completed i64 │ failed i64 │ waiting 20 × i64 │ name │ paused until: adding i64,
    /// handing out i64 │ flags u8 (1: draining) │ lining u8 │ rounds u8 │ lined to: n u8, n bytes │
    /// kept lines │ due counts │ options`
    func write(to record: inout RecordWriter) {
        for index in counts.indices { record.int64(counts[index]) }
        record.int64(totalAdded)
        record.int64(totalCompleted)
        record.int64(totalFailed)
        for index in waiting.indices { record.int64(waiting[index]) }
        record.bytes(name)
        record.int64(pause.adding)
        record.int64(pause.handingOut)
        record.uint8(isDraining ? 1 : 0)
        record.uint8(lining.rawValue)
        record.uint8(rounds.rawValue)
        let place = linedTo.bytes
        record.uint8(UInt8(place.count))
        for byte in place { record.uint8(byte) }
        kept.write(to: &record)
        dueCounts.write(to: &record)
        options.write(to: &record)
    }

    init(id: UInt32, from record: inout RecordReader) {
        self.id = id
        for index in counts.indices { counts[index] = record.int64() }
        totalAdded = record.int64()
        totalCompleted = record.int64()
        totalFailed = record.int64()
        for index in waiting.indices { waiting[index] = record.int64() }
        name = record.bytes()
        pause = QueuePause(adding: record.int64(), handingOut: record.int64())
        isDraining = record.uint8() & 1 != 0
        let lining = Lining(rawValue: record.uint8())
        if lining == nil { record.fail() }
        self.lining = lining ?? .none
        let rounds = RoundOrder(rawValue: record.uint8())
        if rounds == nil { record.fail() }
        self.rounds = rounds ?? .turns
        for _ in 0..<min(UInt8(KeyBytes.capacity), record.uint8()) { linedTo.append(record.uint8()) }
        kept = KeptLines(from: &record)
        dueCounts = DueCounts(from: &record)
        let options = QueueOptions(from: &record)
        if options != QueueSettings.none.options { settings = QueueSettings(options) }
        for index in waiting.indices { occupied.set(index, waiting[index] > 0) }
    }
}

/// In which ranges of a queue anything waits, due or not: a bit for each. Small, so that a hand-out, which looks at all
/// of them, copies nothing larger.
struct Occupancy {
    private var bits: UInt32 = 0

    func has(_ range: WaitingRange) -> Bool { bits &>> UInt32(range.index) & 1 != 0 }

    /// Whether there is anything of this priority, in either lane.
    func has(priority: Int) -> Bool {
        bits &>> UInt32(WaitingRange(priority: priority, lane: .fresh).index) & 0b11 != 0
    }

    mutating func set(_ index: Int, _ isOccupied: Bool) {
        let bit: UInt32 = 1 &<< UInt32(index)
        if isOccupied { bits |= bit } else { bits &= ~bit }
    }
}

/// The broker's own numbers. Stored once a group.
struct BrokerRecord: Equatable {
    /// Of the record format; another one is not opened.
    static let format: UInt8 = 12

    /// Secret of this data directory: ids' check bits are derived from it.
    var secret: UInt64
    /// The last task's sequence.
    var lastSequence: UInt64 = 0
    /// The last hand-out's token.
    var lastToken: Int64 = 0
    /// The number of the last group that remembered answers.
    var lastRequestGroup: UInt64 = 0
    /// The number of the last operation on many tasks.
    var lastOperation: UInt64 = 0
    /// The last move of a task that was told: its number, and when.
    var lastMove: UInt64 = 0
    var lastMoveAt: Timestamp = 0
    /// How many moves the stream holds.
    var keptMoves: Int64 = 0
    /// How often all plain keys were flushed: those of an earlier generation are no more.
    var textGeneration: UInt32 = 0
    /// How many records of earlier generations are still stored.
    var flushedTexts: Int64 = 0

    /// `secret u64 │ last sequence u64 │ last token i64 │ last request group u64 │ last operation u64 │ last move u64 │
    /// its time i64 │ moves kept i64 │ generation of plain keys u32 │ records of earlier ones i64`
    func write(to record: inout RecordWriter) {
        record.uint64(secret)
        record.uint64(lastSequence)
        record.int64(lastToken)
        record.uint64(lastRequestGroup)
        record.uint64(lastOperation)
        record.uint64(lastMove)
        record.int64(lastMoveAt)
        record.int64(keptMoves)
        record.uint32(textGeneration)
        record.int64(flushedTexts)
    }

    init(secret: UInt64) { self.secret = secret }

    init(from record: inout RecordReader) {
        secret = record.uint64()
        lastSequence = record.uint64()
        lastToken = record.int64()
        lastRequestGroup = record.uint64()
        lastOperation = record.uint64()
        lastMove = record.uint64()
        lastMoveAt = record.int64()
        keptMoves = record.int64()
        textGeneration = record.uint32()
        flushedTexts = record.int64()
    }

    func id(_ sequence: UInt64) -> TaskID {
        TaskID(sequence: sequence, check: StableHash.mix(sequence, secret))
    }
}

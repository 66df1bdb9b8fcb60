import MartletProtocol
import MartletStorage

/// One walk over all tables that finds where they disagree. Reads every record once and looks up what belongs to it:
/// memory does not grow with the number of tasks.
struct Audit {
    /// Records in hand at a time.
    private static let page = 1_000
    /// Disagreements that one walk keeps; the rest is counted, and found by the next walk after a repair.
    static let mostFindings = 10_000

    let now: Timestamp
    private(set) var findings: [Disagreement] = []
    private(set) var count = 0
    /// What the queues' counters should say.
    var recount: [UInt32: QueueState] = [:]
    var queues: [UInt32: QueueState] = [:]
    /// The numbers of types that have a record of their name.
    var names: Set<UInt32> = []
    /// The highest numbers that are in use.
    var highest = (queue: UInt32(0), type: UInt32(0), sequence: UInt64(0), token: Int64(0), move: MovePlace.first)
    /// How many tasks of each group are in hand, where that is bounded.
    var held: [UInt32: [UInt64: Int64]] = [:]
    /// How many moves the stream holds.
    var moves: Int64 = 0
    /// How many records of plain keys were flushed but are stored.
    var flushedTexts: Int64 = 0
    var broker: BrokerRecord?
    /// Dead tasks by queue and kind of error, as they are being counted.
    var kinds: [KindPlace: DeadKind] = [:]
    private let progress: (String, Int) throws(StorageError) -> Void

    /// - Parameter progress: is told now and then which table is read and how many records of it were; what it throws
    ///   ends the walk.
    init(now: Timestamp, progress: @escaping (String, Int) throws(StorageError) -> Void) {
        (self.now, self.progress) = (now, progress)
    }

    /// Walks all tables.
    mutating func run<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try readQueues(transaction)
        try readNames(transaction)
        try walkTasks(transaction)
        try walkStates(transaction)
        try walkWaiting(transaction)
        try walkTimers(transaction)
        try walkEnded(transaction)
        try walkDependencies(transaction)
        try walkOrders(transaction)
        try walkBatches(transaction)
        try walkLines(transaction)
        try walkUnique(transaction)
        try walkBodies(transaction)
        try walkHistory(transaction)
        try walkLogs(transaction)
        try walkRequests(transaction)
        try walkMoves(transaction)
        try walkTexts(transaction)
        try walkKinds(transaction)
        try checkPauses(transaction)
        try checkKeptLines(transaction)
        compareNames()
        compareCounters()
        compareNumbers()
    }

    mutating func report(_ kind: Disagreement.Kind, _ text: String, _ repairs: Repair...) {
        report(kind, text, repairs)
    }

    mutating func report(_ kind: Disagreement.Kind, _ text: String, _ repairs: [Repair]) {
        count += 1
        guard findings.count < Self.mostFindings else { return }
        findings.append(Disagreement(kind: kind, text: text, repairs: repairs))
    }

    /// Reads a table's records in pages; a damaged one goes to `damaged`.
    mutating func records<R, A>(
        _ table: Table, prefix: KeyBytes = KeyBytes(), _ transaction: borrowing Transaction<A>,
        decode: (KeyBytes, inout RecordReader) -> R,
        damaged: (inout Audit, KeyBytes) throws(StorageError) -> Void,
        _ body: (inout Audit, KeyBytes, R) throws(StorageError) -> Void
    ) throws(StorageError) {
        var from = prefix
        var seen = 0
        while true {
            var page: [(key: KeyBytes, value: R?)] = []
            try transaction.scanRecords(
                table, from: from, prefix: prefix, damaged: { page.append(($0, nil)) }
            ) { key, record in
                page.append((key, decode(key, &record)))
                return page.count < Self.page
            }
            for (key, value) in page {
                if let value { try body(&self, key, value) } else { try damaged(&self, key) }
            }
            guard let last = page.last, page.count >= Self.page else { return }
            seen += page.count
            try progress(table.name, seen)
            from = last.key
            from.append(UInt8(0))
        }
    }

    /// Reads an index's keys in pages.
    mutating func entries<A>(
        _ table: Table, _ transaction: borrowing Transaction<A>,
        _ body: (inout Audit, KeyBytes, UInt8) throws(StorageError) -> Void
    ) throws(StorageError) {
        var from = KeyBytes()
        var seen = 0
        while true {
            var page: [(key: KeyBytes, flags: UInt8)] = []
            try transaction.scan(table, from: from, prefix: KeyBytes()) { key, flags in
                page.append((key, flags))
                return page.count < Self.page
            }
            for (key, flags) in page { try body(&self, key, flags) }
            guard let last = page.last, page.count >= Self.page else { return }
            seen += page.count
            try progress(table.name, seen)
            from = last.key
            from.append(UInt8(0))
        }
    }
}

// MARK: - What the walks ask for

extension Audit {
    /// What is known of a task: its record, and its state in each phase.
    struct Known {
        var task: TaskRecord
        var active: StateRecord?
        var waiting: StateRecord?
        var ended: StateRecord?

        /// What is true of it while it waits.
        var state: StateRecord { waiting ?? StateRecord(of: task) }

        var isWaiting: Bool { active == nil && ended == nil }

        /// When its time to live ends.
        var expiresAt: Timestamp? { (active ?? waiting ?? ended)?.expiresAt ?? task.expiresAt }

        func waitingKey(_ sequence: UInt64) -> WaitingKey {
            state.waitingKey(sequence)
        }
    }

    /// `nil` if there is no task, or one of its records is damaged: that is reported where the record is met.
    func known<A>(
        _ sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Known? {
        try whole(of: nil) { () throws(StorageError) in
            let record = try transaction.read(Tables.tasks, taskKey(sequence)) {
                TaskRecord(from: &$0, sequence: sequence)
            }
            guard let record else { return nil }
            var known = Known(task: record)
            known.active = try state(sequence, .active, transaction)
            known.waiting = try state(sequence, .waiting, transaction)
            known.ended = try state(sequence, .ended, transaction)
            return known
        }
    }

    func state<A>(
        _ sequence: UInt64, _ phase: Phase, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> StateRecord? {
        try transaction.read(Tables.states, phase.key(sequence)) { StateRecord(from: &$0) }
    }

    /// Whether there is a record of the task, be it damaged.
    func exists<A>(_ sequence: UInt64, _ transaction: borrowing Transaction<A>) throws(StorageError) -> Bool {
        try transaction.contains(Tables.tasks, taskKey(sequence))
    }

    /// What `body` gives; `other` if it meets a damaged record.
    func whole<R>(of other: R, _ body: () throws(StorageError) -> R) throws(StorageError) -> R {
        do throws(StorageError) {
            return try body()
        } catch {
            guard error.kind == .damaged else { throw error }
            return other
        }
    }

    func name(_ sequence: UInt64) -> String { broker?.id(sequence).description ?? "number \(sequence)" }

    /// The counters of a queue as they are being counted anew.
    mutating func tally(_ queue: UInt32, _ change: (inout QueueState) -> Void) {
        highest.queue = max(highest.queue, queue)
        change(&recount[queue, default: QueueState(id: queue, name: [])])
    }
}

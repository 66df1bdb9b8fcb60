import MartletProtocol
import MartletStorage

/// An entry of the cron table, as it is kept in memory and stored. Its payload lies in `bodies`.
struct CronEntry {
    /// Names the record; rises with every new entry.
    let number: UInt64
    var name: Bytes
    var queue: Bytes
    var type: Bytes
    var schedule: CronSetRequest.Schedule
    var zone: Bytes
    var overlap: CronOverlap
    var catchup: CronCatchup
    var options: TaskOptions
    var isPaused = false
    /// What EVERY is counted from.
    var anchor: Timestamp
    /// Paused or not, `nil` if there is none.
    var nextRun: Timestamp?
    var runs: Int64 = 0
    /// The newest runs: when due, and the task's sequence.
    var history: [(at: Timestamp, sequence: UInt64)] = []

    /// Runs that are remembered.
    static let historyLength = 50

    init(number: UInt64, _ request: CronSetRequest, anchor: Timestamp) {
        self.number = number
        (name, queue, type) = (request.name, request.queue, request.type)
        (schedule, zone, overlap, catchup) = (request.schedule, request.zone, request.overlap, request.catchup)
        (options, self.anchor) = (request.options, anchor)
    }

    mutating func ran(at: Timestamp, _ sequence: UInt64) {
        runs += 1
        if history.count >= Self.historyLength { history.removeFirst() }
        history.append((at, sequence))
    }
}

/// `name │ queue │ type │ kind u8 (1 spec, 2 every) │ spec, or ms i64 │ zone │ overlap u8 │ catch-up u8 │ options
/// │ delay i64 │ tags: n u8, n × bytes │ meta: n u8, n × (name, value) │ group │ order key │ paused u8 │ anchor i64
/// │ next run i64, or −1
/// │ runs i64 │ history: n u8, n × (at i64, sequence u64)`
extension CronEntry {
    static func key(_ number: UInt64) -> KeyBytes { taskKey(number) }

    func write(to record: inout RecordWriter) {
        for text in [name, queue, type] { record.bytes(text) }
        switch schedule {
        case .spec(let text):
            record.uint8(1)
            record.bytes(text)
        case .every(let span):
            record.uint8(2)
            record.int64(span)
        }
        record.bytes(zone)
        record.uint8(overlap.rawValue)
        record.uint8(catchup.rawValue)
        writeOptions(to: &record)
        record.uint8(isPaused ? 1 : 0)
        record.int64(anchor)
        record.int64(nextRun ?? -1)
        record.int64(runs)
        record.uint8(UInt8(history.count))
        for run in history {
            record.int64(run.at)
            record.uint64(run.sequence)
        }
    }

    private func writeOptions(to record: inout RecordWriter) {
        var stored = QueueOptions()
        stored.task = options
        stored.write(to: &record)
        if case .after(let delay) = options.due { record.int64(delay) } else { record.int64(0) }
        record.uint8(UInt8(options.tags.count))
        for tag in options.tags { record.bytes(tag) }
        record.uint8(UInt8(options.meta.count))
        for field in options.meta {
            record.bytes(field.name)
            record.bytes(field.value)
        }
        record.bytes(options.group ?? [])
        record.bytes(options.order ?? [])
        record.uint8(UInt8(options.limits.count))
        for limit in options.limits {
            record.bytes(limit.name)
            record.int64(limit.cost)
        }
    }

    init(number: UInt64, from record: inout RecordReader) {
        self.number = number
        (name, queue, type) = (record.bytes(), record.bytes(), record.bytes())
        schedule = record.uint8() == 1 ? .spec(record.bytes()) : .every(max(1, record.int64()))
        zone = record.bytes()
        overlap = CronOverlap(rawValue: record.uint8()) ?? .allow
        catchup = CronCatchup(rawValue: record.uint8()) ?? .one
        options = QueueOptions(from: &record).task
        let delay = record.int64()
        if delay > 0 { options.due = .after(delay) }
        for _ in 0..<record.uint8() { options.tags.append(record.bytes()) }
        for _ in 0..<record.uint8() { options.meta.append(MetaField(name: record.bytes(), value: record.bytes())) }
        let group = record.bytes()
        if !group.isEmpty { options.group = group }
        let order = record.bytes()
        if !order.isEmpty { options.order = order }
        for _ in 0..<record.uint8() { options.limits.append(LimitCost(name: record.bytes(), cost: record.int64())) }
        isPaused = record.uint8() == 1
        anchor = record.int64()
        let next = record.int64()
        nextRun = next < 0 ? nil : next
        runs = record.int64()
        for _ in 0..<record.uint8() { history.append((record.int64(), record.uint64())) }
    }
}

/// All entries, by name and by when they run next.
struct Crons {
    private var entries: [Bytes: CronEntry] = [:]
    private var names: [UInt64: Bytes] = [:]
    private var instants = Deadlines()
    private(set) var lastNumber: UInt64 = 0

    var count: Int { entries.count }

    /// In the order in which they were first set.
    var ordered: [CronEntry] { entries.values.sorted { $0.number < $1.number } }

    /// When the next one runs.
    var nextInstant: Timestamp? { instants.first?.at }

    subscript(name: Bytes) -> CronEntry? {
        get { entries[name] }
        set {
            if let before = entries[name] {
                names[before.number] = nil
                if let at = Self.instant(before) { instants.remove(.init(at: at, id: before.number)) }
            }
            entries[name] = newValue
            guard let newValue else { return }
            names[newValue.number] = name
            lastNumber = max(lastNumber, newValue.number)
            if let at = Self.instant(newValue) { instants.insert(.init(at: at, id: newValue.number)) }
        }
    }

    /// The entry that is due first, if it is by `now`.
    func due(by now: Timestamp) -> CronEntry? {
        guard let first = instants.first, first.at <= now else { return nil }
        return names[first.id].flatMap { entries[$0] }
    }

    private static func instant(_ entry: CronEntry) -> Timestamp? { entry.isPaused ? nil : entry.nextRun }
}

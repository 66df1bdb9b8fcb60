import MartletProtocol
import MartletStorage

/// A worker that introduced itself, or sent a beat. Stored whenever it does, and when it is given an order.
struct WorkerRecord {
    /// Of its record.
    let number: UInt32
    let name: Bytes
    var host: Bytes?
    var process: Int64?
    var slots: Int64?
    var queues: [Bytes] = []
    var library: Bytes?
    var libraryVersion: Bytes?
    var residentBytes: Int64?
    var busy: Int64?
    /// Of the last HELLO or BEAT.
    var lastBeat: Timestamp
    var order = WorkerOrder.run
    /// Since its name was first heard. What is counted after the last beat is not stored yet.
    var counts = InlineArray<3, Int64>(repeating: 0)

    init(number: UInt32, name: Bytes, now: Timestamp) {
        (self.number, self.name, lastBeat) = (number, name, now)
    }

    /// `name │ mask u8 │ last beat i64 │ order u8 │ counts 3 × i64 │ n u32 │ n × queue │ [1: host] [2: process i64]
    /// [4: slots i64] [8: library, version] [16: resident bytes i64] [32: busy i64]`
    func write(to record: inout RecordWriter) {
        record.bytes(name)
        record.uint8(mask)
        record.int64(lastBeat)
        record.uint8(order.rawValue)
        for index in counts.indices { record.int64(counts[index]) }
        record.uint32(UInt32(queues.count))
        for queue in queues { record.bytes(queue) }
        if let host { record.bytes(host) }
        if let process { record.int64(process) }
        if let slots { record.int64(slots) }
        if let library { record.bytes(library) }
        if let libraryVersion { record.bytes(libraryVersion) }
        if let residentBytes { record.int64(residentBytes) }
        if let busy { record.int64(busy) }
    }

    private var mask: UInt8 {
        let bits: [Bool] = [
            host != nil, process != nil, slots != nil, library != nil, libraryVersion != nil, residentBytes != nil,
            busy != nil,
        ]
        return bits.enumerated().reduce(0) { $1.element ? $0 | 1 << $1.offset : $0 }
    }

    init(number: UInt32, from record: inout RecordReader) {
        self.number = number
        name = record.bytes()
        let mask = record.uint8()
        lastBeat = record.int64()
        order = WorkerOrder(rawValue: record.uint8()) ?? .run
        for index in counts.indices { counts[index] = record.int64() }
        for _ in 0..<record.uint32() where record.left > 0 { queues.append(record.bytes()) }
        if mask & 1 != 0 { host = record.bytes() }
        if mask & 2 != 0 { process = record.int64() }
        if mask & 4 != 0 { slots = record.int64() }
        if mask & 8 != 0 { library = record.bytes() }
        if mask & 16 != 0 { libraryVersion = record.bytes() }
        if mask & 32 != 0 { residentBytes = record.int64() }
        if mask & 64 != 0 { busy = record.int64() }
    }
}

/// What is counted of a worker.
enum WorkerCount: Int {
    case started = 0
    case completed = 1
    case failed = 2
}

/// The workers that are known, by name. In memory; read at start.
struct Workers {
    private var byName: [Bytes: WorkerRecord] = [:]
    /// Who takes from a queue, as they say.
    private var byQueue: [Bytes: Set<Bytes>] = [:]
    private(set) var lastNumber: UInt32 = 0
    /// Nobody has been silent for long enough to be forgotten before this.
    var forgetBound: Timestamp = .min

    var isEmpty: Bool { byName.isEmpty }
    var count: Int { byName.count }
    var names: [Bytes] { byName.keys.sorted { $0.lexicographicallyPrecedes($1) } }

    subscript(name: Bytes) -> WorkerRecord? {
        get { byName[name] }
        set {
            let before = byName[name]?.queues ?? []
            byName[name] = newValue
            let after = newValue?.queues ?? []
            if before != after {
                for queue in before { leave(queue, name) }
                for queue in after { byQueue[queue, default: []].insert(name) }
            }
            if let newValue { lastNumber = max(lastNumber, newValue.number) }
        }
    }

    /// Those who say that they take from a queue, and have been heard of since.
    func of(queue: Bytes, heardSince time: Timestamp) -> [Bytes] {
        (byQueue[queue] ?? []).filter { byName[$0].map { $0.lastBeat >= time } ?? false }
    }

    private mutating func leave(_ queue: Bytes, _ name: Bytes) {
        byQueue[queue]?.remove(name)
        if byQueue[queue]?.isEmpty ?? false { byQueue[queue] = nil }
    }

    /// Whether there is a worker of that name; if so it is counted.
    mutating func count(_ name: Bytes, _ what: WorkerCount, _ change: Int64) -> Bool {
        guard let index = byName.index(forKey: name) else { return false }
        byName.values[index].counts[what.rawValue] += change
        return true
    }

    /// The one that has been silent longest.
    var mostSilent: WorkerRecord? {
        byName.values.min { ($0.lastBeat, $0.number) < ($1.lastBeat, $1.number) }
    }
}

public import MartletProtocol
import MartletStorage

/// When a breaker opens, for how long, and what closes it again.
public struct BreakerSettings: Hashable, Sendable {
    /// So many failures …
    public var fails: Int64
    /// … in less than this open it.
    public var per: Milliseconds
    /// So long it stays open.
    public var cool: Milliseconds
    /// Then so many are let through; when all of them succeeded it closes.
    public var probes: Int64
    /// The kinds of failure that count; empty: all.
    public var kinds: [Bytes]

    public init(fails: Int64, per: Milliseconds, cool: Milliseconds, probes: Int64, kinds: [Bytes] = []) {
        (self.fails, self.per, self.cool, self.probes, self.kinds) = (fails, per, cool, probes, kinds)
    }
}

/// Whether a breaker lets anything through. The raw value is stored.
public enum BreakerPhase: UInt8, Sendable {
    case closed = 1
    case open = 2
    /// A few are let through, to see how they fare.
    case halfOpen = 3

    /// The name on the wire.
    public var name: String {
        switch self {
        case .closed: "closed"
        case .open: "open"
        case .halfOpen: "half_open"
        }
    }
}

/// A breaker. Kept in memory; stored once a group, when changed.
struct BreakerState {
    /// Of its record.
    let number: UInt32
    let name: Bytes
    var settings: BreakerSettings
    private(set) var phase = BreakerPhase.closed
    /// Closed: the failures that still count, the oldest first.
    private(set) var failures: [Timestamp] = []
    /// Open: when it opened. Half open: when the first of the probes that are out was let through.
    private(set) var since: Timestamp = 0
    /// Half open: probes let through and not forgotten, and those of them that succeeded.
    private(set) var sent: Int64 = 0
    private(set) var succeeded: Int64 = 0
    /// Queues with blocked callers that it holds back. In memory.
    var queues: Set<UInt32> = []
    /// The open group changed what is stored of it.
    var isChanged = false

    init(number: UInt32, name: Bytes, settings: BreakerSettings) {
        (self.number, self.name, self.settings) = (number, name, settings)
    }

    /// As it is at `now`: an open one is half open after COOL, and probes nobody told of are forgotten after another.
    func at(_ now: Timestamp) -> BreakerState {
        var breaker = self
        breaker.failures.removeAll { $0 <= now - settings.per }
        guard phase != .closed, now >= since + settings.cool else { return breaker }
        if phase == .open {
            (breaker.phase, breaker.sent, breaker.succeeded) = (.halfOpen, 0, 0)
        } else {
            breaker.sent = succeeded
        }
        return breaker
    }

    /// When it has cooled down; `nil`: it is not open.
    var cooledAt: Timestamp? { phase == .open ? since + settings.cool : nil }

    func allows(_ now: Timestamp) -> Bool {
        switch phase {
        case .closed: true
        case .open, .halfOpen: at(now).isPassable
        }
    }

    private var isPassable: Bool { phase == .closed || phase == .halfOpen && sent < settings.probes }

    // What changes it is said of one that is as it is `at(now)`.

    /// Something is let through.
    mutating func letThrough(_ now: Timestamp) {
        guard phase == .halfOpen else { return }
        if sent == succeeded { since = now }
        sent += 1
    }

    mutating func succeed() {
        guard phase == .halfOpen else { return }
        succeeded += 1
        sent = max(sent, succeeded)
        if succeeded >= settings.probes { reset() }
    }

    /// Whether a failure of this kind counts.
    func counts(_ kind: Bytes?) -> Bool {
        settings.kinds.isEmpty || kind.map(settings.kinds.contains) ?? false
    }

    mutating func fail(_ now: Timestamp) {
        switch phase {
        case .open: break
        case .halfOpen: trip(now)
        case .closed:
            failures.append(now)
            if failures.count >= settings.fails { trip(now) }
        }
    }

    /// From now on under other settings; probes that would have been enough under them are.
    mutating func change(_ settings: BreakerSettings) {
        self.settings = settings
        if phase == .halfOpen, succeeded >= settings.probes { reset() }
    }

    mutating func trip(_ now: Timestamp) {
        (phase, since, failures, sent, succeeded) = (.open, now, [], 0, 0)
    }

    mutating func reset() { (phase, since, failures, sent, succeeded) = (.closed, 0, [], 0, 0) }

    /// When those it holds back may go on by themselves; `nil`: it holds nobody back.
    var nextInstant: Timestamp? {
        guard !queues.isEmpty else { return nil }
        return isPassable ? .min : since + settings.cool
    }
}

extension BreakerState {
    /// `name │ fails i64 │ per i64 │ cool i64 │ probes i64 │ n u8, n × kind │ phase u8 │ since i64 │ sent i64
    /// │ succeeded i64 │ n u32, n × failed at i64`
    func write(to record: inout RecordWriter) {
        record.bytes(name)
        for field in [settings.fails, settings.per, settings.cool, settings.probes] { record.int64(field) }
        record.uint8(UInt8(settings.kinds.count))
        for kind in settings.kinds { record.bytes(kind) }
        record.uint8(phase.rawValue)
        for field in [since, sent, succeeded] { record.int64(field) }
        record.uint32(UInt32(failures.count))
        for failure in failures { record.int64(failure) }
    }

    init(number: UInt32, from record: inout RecordReader) {
        self.number = number
        name = record.bytes()
        settings = BreakerSettings(
            fails: record.int64(), per: record.int64(), cool: record.int64(), probes: record.int64())
        for _ in 0..<record.uint8() { settings.kinds.append(record.bytes()) }
        let phase = BreakerPhase(rawValue: record.uint8())
        if phase == nil { record.fail() }
        self.phase = phase ?? .closed
        (since, sent, succeeded) = (record.int64(), record.int64(), record.int64())
        for _ in 0..<record.uint32() where record.left > 0 { failures.append(record.int64()) }
    }
}

/// The breakers there are, by number and by name. In memory; read at start.
struct BreakerTable {
    private var states: [UInt32: BreakerState] = [:]
    private var numbers: [Bytes: UInt32] = [:]
    /// Those that hold blocked callers back.
    private(set) var busy: Set<UInt32> = []
    /// Those that are open, by when they have cooled down.
    private var cooling = Deadlines()

    var isEmpty: Bool { states.isEmpty }
    var count: Int { states.count }
    var nextNumber: UInt32 { (states.keys.max() ?? 0) + 1 }
    /// By name.
    var ordered: [BreakerState] { states.values.sorted { $0.name.lexicographicallyPrecedes($1.name) } }

    func number(_ name: Bytes) -> UInt32? { numbers[name] }

    /// Which has cooled down first, and when.
    var firstCooled: (at: Timestamp, number: UInt32)? { cooling.first.map { ($0.at, UInt32($0.id)) } }

    subscript(number: UInt32) -> BreakerState? {
        get { states[number] }
        set {
            if let old = states[number] { numbers[old.name] = nil }
            if let at = states[number]?.cooledAt { cooling.remove(.init(at: at, id: UInt64(number))) }
            if let at = newValue?.cooledAt { cooling.insert(.init(at: at, id: UInt64(number))) }
            states[number] = newValue
            if let newValue { numbers[newValue.name] = number }
            if newValue?.queues.isEmpty ?? true { busy.remove(number) } else { busy.insert(number) }
        }
    }
}

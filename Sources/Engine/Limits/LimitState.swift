import MartletProtocol
import MartletStorage

/// A permit of a limit with SLOTS: so many of them are taken until then.
struct Permit: Equatable {
    var slots: Int64
    var until: Timestamp
}

/// A blocked LIMIT.TAKE.
struct Taker {
    var request: LimitTakeRequest
    /// When it gives up; `nil`: never.
    var until: Timestamp?
}

/// A limit. Kept in memory; stored once a group, its permits each in a record of their own.
struct LimitState {
    enum Kind: Equatable {
        case tokens(TokenBucket)
        /// So many may be taken at a time.
        case slots(Int64)
    }

    /// Of its record.
    let number: UInt32
    let name: Bytes
    var kind: Kind
    var use = TokenUse()
    /// How often it was granted.
    var granted: Int64 = 0
    /// How often somebody was told to come later. Not stored: counts from the start.
    var refused: Int64 = 0
    /// The newest permit's number.
    var lastPermit: Int64
    private(set) var permits: [Int64: Permit] = [:]
    private(set) var held: Int64 = 0
    /// When the next permit's time is over.
    private(set) var nextEnd: Timestamp?
    /// Those who wait, first come first. In memory.
    var takers: [Taker] = []
    /// What they wait for in all.
    var awaited: Int64 { takers.reduce(0) { $0 + $1.request.cost } }
    /// The open group changed what is stored of it.
    var isChanged = false

    /// Queues with blocked callers that it holds back, and how many tokens they need. In memory.
    var queues: [UInt32: Int64] = [:]

    /// Nobody waits, and nothing ends by itself.
    var isQuiet: Bool { takers.isEmpty && permits.isEmpty && queues.isEmpty }

    init(number: UInt32, name: Bytes, kind: Kind, now: Timestamp) {
        (self.number, self.name, self.kind) = (number, name, kind)
        // Permits of a limit of this name that was deleted must not open this one.
        lastPermit = now << 8
    }

    /// The most that can be taken at once.
    var most: Int64 {
        switch kind {
        case .tokens(let bucket): bucket.burst
        case .slots(let slots): slots
        }
    }

    /// What can be taken now. Permits whose time is over are out already.
    func available(at now: Timestamp) -> Int64 {
        switch kind {
        case .tokens(let bucket): bucket.available(at: now)
        case .slots(let slots): max(0, slots - held)
        }
    }

    /// Takes so much, if it is there; of slots, until then. The permit's number, 0 for tokens; `nil`: it is not there.
    mutating func take(_ cost: Int64, until: Timestamp, _ now: Timestamp) -> Int64? {
        switch kind {
        case .tokens(var bucket):
            guard bucket.take(cost, now) else { return nil }
            kind = .tokens(bucket)
            use.note(cost, per: bucket.per, now)
        case .slots(let slots):
            guard cost <= slots - held else { return nil }
            lastPermit += 1
            add(Permit(slots: cost, until: until), lastPermit)
        }
        granted += 1
        return isOfSlots ? lastPermit : 0
    }

    var isOfSlots: Bool {
        if case .slots = kind { true } else { false }
    }

    /// How long until so much could be taken, were it only for the time; of slots: nobody giving any back.
    func wait(for cost: Int64, _ now: Timestamp) -> Milliseconds {
        switch kind {
        case .tokens(let bucket): return bucket.wait(for: cost, now)
        case .slots(let slots):
            var free = slots - held
            guard free < cost else { return 0 }
            var last = now
            for permit in permits.values.sorted(by: { $0.until < $1.until }) where free < cost {
                free += permit.slots
                last = permit.until
            }
            return max(0, last - now)
        }
    }

    /// How long until all of it is there.
    func waitUntilFull(_ now: Timestamp) -> Milliseconds {
        switch kind {
        case .tokens(let bucket): bucket.waitUntilFull(now)
        case .slots: permits.values.map { max(0, $0.until - now) }.max() ?? 0
        }
    }

    /// When something is to be done: the first of those who wait can be served, one gives up, or a permit ends.
    var nextInstant: Timestamp? {
        var next = [nextEnd, takers.compactMap(\.until).min()].compactMap { $0 }.min()
        if case .tokens(let bucket) = kind,
            let least = takers.first?.request.cost ?? queues.values.min().map({ min($0, bucket.burst) })
        {
            next = min(next ?? .max, bucket.instant(for: least))
        }
        return next
    }

    // MARK: Permits

    mutating func add(_ permit: Permit, _ number: Int64) {
        permits[number] = permit
        held += permit.slots
        nextEnd = min(nextEnd ?? .max, permit.until)
    }

    /// `false`: there is no such permit.
    mutating func remove(permit number: Int64) -> Bool {
        guard let permit = permits.removeValue(forKey: number) else { return false }
        held -= permit.slots
        if permit.until == nextEnd { nextEnd = permits.values.map(\.until).min() }
        return true
    }

    /// As it is at `now`: without permits whose time is over.
    func at(_ now: Timestamp) -> LimitState {
        var limit = self
        for permit in over(by: now) { _ = limit.remove(permit: permit) }
        return limit
    }

    /// The permits whose time is over.
    func over(by now: Timestamp) -> [Int64] {
        guard let nextEnd, nextEnd <= now else { return [] }
        return permits.filter { $0.value.until <= now }.keys.sorted()
    }
}

extension LimitState {
    /// `name │ kind u8 (1 tokens, 2 slots) │ granted i64 │ last permit i64 │ 1: bucket, its use; 2: slots i64`
    func write(to record: inout RecordWriter) {
        record.bytes(name)
        record.uint8(isOfSlots ? 2 : 1)
        record.int64(granted)
        record.int64(lastPermit)
        switch kind {
        case .tokens(let bucket):
            bucket.write(to: &record)
            use.write(to: &record)
        case .slots(let slots): record.int64(slots)
        }
    }

    init(number: UInt32, from record: inout RecordReader) {
        self.number = number
        name = record.bytes()
        let isOfSlots = record.uint8() == 2
        (granted, lastPermit) = (record.int64(), record.int64())
        if isOfSlots {
            kind = .slots(record.int64())
        } else {
            kind = .tokens(TokenBucket(from: &record))
            use = TokenUse(from: &record)
        }
    }
}

/// The limits there are, by number and by name. In memory; read at start.
struct LimitTable {
    private var states: [UInt32: LimitState] = [:]
    private var numbers: [Bytes: UInt32] = [:]
    /// Those of which something may happen by itself, or for which somebody waits.
    private(set) var busy: Set<UInt32> = []

    var count: Int { states.count }
    var nextNumber: UInt32 { (states.keys.max() ?? 0) + 1 }
    /// By name.
    var ordered: [LimitState] { states.values.sorted { $0.name.lexicographicallyPrecedes($1.name) } }

    func number(_ name: Bytes) -> UInt32? { numbers[name] }

    subscript(number: UInt32) -> LimitState? {
        get { states[number] }
        set {
            if let old = states[number] { numbers[old.name] = nil }
            states[number] = newValue
            if let newValue { numbers[newValue.name] = number }
            settle(number)
        }
    }

    /// Changes one in place.
    mutating func change<R>(_ number: UInt32, _ body: (inout LimitState) -> R) -> R? {
        guard let index = states.index(forKey: number) else { return nil }
        defer { settle(number) }
        return body(&states.values[index])
    }

    private mutating func settle(_ number: UInt32) {
        if states[number].map(\.isQuiet) ?? true { busy.remove(number) } else { busy.insert(number) }
    }
}

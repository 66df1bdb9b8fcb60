import MartletProtocol

/// A task in somebody's hands, as far as it must be known without looking.
struct Lease {
    var token: Int64
    /// Milliseconds; the attempt ends then unless it is extended.
    var deadline: Timestamp
    var queue: UInt32
    var worker: Bytes?
    /// The hash of its ORDER key.
    var order: UInt64?
    /// The hash of its GROUP key, where its queue bounds how many of a group are in hand.
    var group: UInt64?
    /// The task is to be cancelled; its holder is told at the next TOUCH or BEAT.
    var cancel = false

    var orderPlace: OrderPlace? { order.map { OrderPlace(queue: queue, hash: $0) } }
}

/// All leases, by task and by deadline. In memory; rebuilt from the active state records at start.
struct Leases {
    private var bySequence: [UInt64: Lease] = [:]
    private(set) var deadlines = Deadlines()
    /// How many leases each named worker holds of each queue.
    private var workers: [UInt32: [Bytes: Int]] = [:]
    /// The tasks each named worker holds.
    private var held: [Bytes: Set<UInt64>] = [:]
    /// Those that are to be cancelled.
    private(set) var cancelled: Set<UInt64> = []
    /// The one task of each ORDER key that is in hand.
    private var ordered: [OrderPlace: UInt64] = [:]

    /// How many of each group of a queue are in hand, where that is bounded.
    private var grouped: [UInt32: [UInt64: Int64]] = [:]

    subscript(sequence: UInt64) -> Lease? { bySequence[sequence] }

    var count: Int { bySequence.count }

    mutating func insert(_ sequence: UInt64, _ lease: Lease) {
        bySequence[sequence] = lease
        deadlines.insert(.init(at: lease.deadline, id: sequence))
        if lease.cancel { cancelled.insert(sequence) }
        if let place = lease.orderPlace { ordered[place] = sequence }
        if let group = lease.group { grouped[lease.queue, default: [:]][group, default: 0] += 1 }
        guard let worker = lease.worker else { return }
        workers[lease.queue, default: [:]][worker, default: 0] += 1
        held[worker, default: []].insert(sequence)
    }

    @discardableResult
    mutating func remove(_ sequence: UInt64) -> Lease? {
        guard let lease = bySequence.removeValue(forKey: sequence) else { return nil }
        deadlines.remove(.init(at: lease.deadline, id: sequence))
        if lease.cancel { cancelled.remove(sequence) }
        if let place = lease.orderPlace { ordered[place] = nil }
        if let group = lease.group { forget(group, lease.queue) }
        if let worker = lease.worker { forget(sequence, worker, lease.queue) }
        return lease
    }

    private mutating func forget(_ sequence: UInt64, _ worker: Bytes, _ queue: UInt32) {
        held[worker]?.remove(sequence)
        if held[worker]?.isEmpty == true { held[worker] = nil }
        let left = (workers[queue]?[worker] ?? 1) - 1
        workers[queue]?[worker] = left > 0 ? left : nil
        if workers[queue]?.isEmpty == true { workers[queue] = nil }
    }

    private mutating func forget(_ group: UInt64, _ queue: UInt32) {
        let left = (grouped[queue]?[group] ?? 1) - 1
        grouped[queue]?[group] = left > 0 ? left : nil
        if grouped[queue]?.isEmpty == true { grouped[queue] = nil }
    }

    /// How many tasks of a group are in hand, where that is bounded.
    func held(of group: UInt64, in queue: UInt32) -> Int64 { grouped[queue]?[group] ?? 0 }

    /// The groups of a queue of which tasks are in hand, and how many.
    func groups(of queue: UInt32) -> [UInt64: Int64] { grouped[queue] ?? [:] }

    /// The tasks of a queue that are in hand. Looks at all leases.
    func tasks(of queue: UInt32) -> [UInt64] { bySequence.filter { $0.value.queue == queue }.keys.sorted() }

    /// The task with an ORDER key that is in hand.
    func running(_ place: OrderPlace) -> UInt64? { ordered[place] }

    /// The tasks a named worker holds, the oldest first.
    func tasks(of worker: Bytes) -> [UInt64] { (held[worker] ?? []).sorted() }

    /// The named workers that hold leases of a queue.
    func workers(of queue: UInt32) -> some Collection<Bytes> { (workers[queue] ?? [:]).keys }
}

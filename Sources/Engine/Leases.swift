import MartletProtocol

/// A task in somebody's hands, as far as it must be known without looking.
struct Lease {
    var token: Int64
    /// Milliseconds; the attempt ends then unless it is extended.
    var deadline: Timestamp
    var queue: UInt32
    var worker: Bytes?
}

/// All leases, by task and by deadline. In memory; rebuilt from the active state records at start.
struct Leases {
    private var bySequence: [UInt64: Lease] = [:]
    private(set) var deadlines = Deadlines()
    /// How many leases each named worker holds of each queue.
    private var workers: [UInt32: [Bytes: Int]] = [:]

    subscript(sequence: UInt64) -> Lease? { bySequence[sequence] }

    var count: Int { bySequence.count }

    mutating func insert(_ sequence: UInt64, _ lease: Lease) {
        bySequence[sequence] = lease
        deadlines.insert(.init(at: lease.deadline, id: sequence))
        if let worker = lease.worker { workers[lease.queue, default: [:]][worker, default: 0] += 1 }
    }

    @discardableResult
    mutating func remove(_ sequence: UInt64) -> Lease? {
        guard let lease = bySequence.removeValue(forKey: sequence) else { return nil }
        deadlines.remove(.init(at: lease.deadline, id: sequence))
        if let worker = lease.worker { forget(worker, lease.queue) }
        return lease
    }

    private mutating func forget(_ worker: Bytes, _ queue: UInt32) {
        let left = (workers[queue]?[worker] ?? 1) - 1
        workers[queue]?[worker] = left > 0 ? left : nil
        if workers[queue]?.isEmpty == true { workers[queue] = nil }
    }

    /// The named workers that hold leases of a queue.
    func workers(of queue: UInt32) -> some Collection<Bytes> { (workers[queue] ?? [:]).keys }
}

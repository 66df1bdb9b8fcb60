public import MartletProtocol

/// What one run of the load generator does. Checked by `problem()` before anything is sent.
public struct BenchPlan: Hashable, Sendable {
    /// Which commands a job costs.
    public enum Mode: String, CaseIterable, Sendable {
        /// Enqueue, reserve, acknowledge: the full life cycle.
        case cycle
        /// Enqueue, then one ACK … NEXT, which acknowledges the task in hand and reserves the next.
        case cycleNext = "cycle-next"
        /// Only enqueue.
        case enqueue
        /// Only reserve and acknowledge: jobs 0 ..< `jobs` of an earlier `enqueue` run on the same queue.
        case drain
        /// The full life cycle with MADD, RESERVE COUNT and MACK, `batch` jobs a command.
        case madd
    }

    /// What is at the other end, and so which commands are sent.
    public enum Peer: String, CaseIterable, Sendable {
        case martlet
        /// Redis with a priority queue in Lua: sorted set, a hash per job, leases. What queue libraries do.
        case redisLua = "redis-lua"
        /// beanstalkd, in its own protocol.
        case beanstalkd
    }

    public enum Priorities: String, CaseIterable, Sendable {
        /// Job n gets one of the ten priorities, the same in every run.
        case mixed
        /// Every job has the default priority.
        case single
    }

    public var host = "127.0.0.1"
    public var port = 7379
    public var mode = Mode.cycle
    public var peer = Peer.martlet
    public var connections = 16
    /// Jobs in flight on each connection; their commands are written together.
    public var pipeline = 1
    public var jobs = 100_000
    /// Bytes of a payload.
    public var payload = 256
    public var priorities = Priorities.mixed
    public var queue = "bench"
    /// How long the record outlives the end, in milliseconds; `nil`: the broker's default. Martlet only.
    public var keep: Milliseconds? = 0
    /// Send a REQ nonce with every command. Martlet only.
    public var nonces = false
    /// Jobs per MADD, RESERVE and MACK; 1: the single commands.
    public var batch = 1
    /// Check that hand-outs came by priority, then by id (mode `drain` after all was enqueued; Martlet only).
    public var checksOrder = false
    /// Sent with AUTH first.
    public var password: String?
    /// The server's process on this machine, for its CPU time; `nil`: as INFO says.
    public var serverProcess: Int?

    public init() {}

    /// Most connections, jobs in flight on one, jobs of a run, and jobs per command.
    public static let limits = (connections: 10_000, pipeline: 10_000, jobs: 1_000_000_000, batch: 10_000)
    /// A payload carries at least its job number.
    public static let smallestPayload = JobNumber.digits

    /// Why this cannot be run; `nil`: it can.
    public func problem() -> String? {
        let ranges: [(String, Int, ClosedRange<Int>)] = [
            ("port", port, 1...65_535),
            ("connections", connections, 1...Self.limits.connections),
            ("pipeline", pipeline, 1...Self.limits.pipeline),
            ("jobs", jobs, 1...Self.limits.jobs),
            ("payload", payload, Self.smallestPayload...Limits.payload),
            ("batch", batch, 1...Self.limits.batch),
        ]
        for (name, value, range) in ranges where !range.contains(value) {
            return "\(name) \(value): must be \(range.lowerBound) to \(range.upperBound)"
        }
        return combinationProblem()
    }

    private func combinationProblem() -> String? {
        if peer != .martlet {
            if nonces || checksOrder { return "REQ and the order check need Martlet" }
            if mode == .cycleNext || batch > 1 { return "ACK NEXT and batches need Martlet" }
        }
        if peer == .beanstalkd && password != nil { return "beanstalkd has no passwords" }
        if checksOrder && mode != .drain { return "the order check needs mode drain" }
        if mode == .cycleNext && batch > 1 { return "ACK NEXT takes single jobs" }
        return nil
    }

    /// The priority of job `number`.
    func priority(of number: Int) -> Int {
        guard priorities == .mixed else { return Limits.defaultPriority }
        let mixed = UInt64(truncatingIfNeeded: number) &* 0x9E37_79B9_7F4A_7C15
        return 1 + Int(mixed >> 33) % 10
    }
}

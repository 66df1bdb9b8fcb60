/// Latencies of one kind of command, in microseconds.
public struct LatencyReport: Hashable, Sendable {
    public var count: Int
    public var p50: Double
    public var p90: Double
    public var p99: Double
    public var p999: Double
    public var largest: Double

    init(_ histogram: LatencyHistogram) {
        func microseconds(_ share: Double) -> Double { Double(histogram.percentile(share)) / 1_000 }
        count = histogram.count
        p50 = microseconds(0.5)
        p90 = microseconds(0.9)
        p99 = microseconds(0.99)
        p999 = microseconds(0.999)
        largest = Double(histogram.largest) / 1_000
    }
}

/// What one run showed.
public struct BenchReport: Sendable {
    public let plan: BenchPlan
    public let seconds: Double
    /// Jobs that went all their way.
    public internal(set) var jobs = 0
    /// Time on a core of this process over wall time: past 0.8 the figures tell of the client, not of the server.
    public internal(set) var clientShare = 0.0
    /// The server's time on cores per job; `nil`: its process is not to be seen.
    public internal(set) var serverMicrosecondsPerJob: Double?
    public internal(set) var emptyReserves = 0
    var findings = JobLedger.Findings()
    var latencies: [(command: LoadCommand, report: LatencyReport)] = []

    init(plan: BenchPlan, seconds: Double) {
        self.plan = plan
        self.seconds = seconds
    }

    public var jobsPerSecond: Double { Double(jobs) / max(seconds, 1e-9) }

    /// Whether every job came exactly once (and in order, where that was asked).
    public var isVerified: Bool { findings.isClean && jobs == plan.jobs }
}

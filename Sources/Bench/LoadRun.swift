import NIOCore

/// What all connections of one run share: the jobs still to be given out, the ledger, the latencies, the end.
///
/// Confined to the one event loop that drives every connection; nothing here is locked.
final class LoadRun {
    let plan: BenchPlan
    let dialect: any Dialect
    private let loop: any EventLoop
    private let done: EventLoopPromise<BenchReport>
    private(set) var ledger: JobLedger
    var latencies = [LatencyHistogram](repeating: LatencyHistogram(), count: LoadCommand.allCases.count)
    /// RESERVEs that found nothing although a job was there to be had.
    private(set) var emptyReserves = 0
    private(set) var finished = 0
    private var nextJob = 0
    private var busyConnections: Int
    private var started = (at: NIODeadline.now(), own: Int64(0), server: Int64?.none)
    /// How far the run was when that last changed, and when that was seen.
    private var moved = (finished: -1, at: NIODeadline.now())
    private let serverProcess: Int?

    /// A drain gives up after so many empty replies in a row: the rest is lost. Bounds every other mode too.
    static let mostEmptyReserves = 10_000

    init(
        _ plan: BenchPlan, dialect: any Dialect, serverProcess: Int?, loop: any EventLoop,
        done: EventLoopPromise<BenchReport>
    ) {
        self.plan = plan
        self.dialect = dialect
        self.serverProcess = serverProcess
        self.loop = loop
        self.done = done
        ledger = JobLedger(jobs: plan.jobs)
        busyConnections = plan.connections
    }

    /// The clocks start; the connections send right after.
    func start() {
        started = (.now(), ProcessTime.own(), serverTime())
    }

    /// The numbers of the next jobs, at most a batch; `nil`: all are given out.
    func claim() -> Range<Int>? {
        guard nextJob < plan.jobs else { return nil }
        let first = nextJob
        nextJob = min(plan.jobs, first + plan.batch)
        return first..<nextJob
    }

    /// So many jobs went all their way.
    func finish(_ count: Int) { finished += count }

    /// Enters what one RESERVE got. `lastToken` is the connection's; 0 before its first.
    func enter(_ tasks: [ReservedTask], in bytes: Span<UInt8>, lastToken: inout Int64) {
        for task in tasks {
            ledger.enter(JobNumber.read(bytes, task.payload))
            guard let token = JobNumber.decimal(bytes, task.token) else { continue }
            if Int64(token) <= lastToken { ledger.enterStaleToken() }
            lastToken = Int64(token)
            if plan.checksOrder { ledger.keep(task, token: Int64(token), in: bytes) }
        }
    }

    /// Counts a RESERVE that found nothing; `false`: there is no use in asking again.
    func enterEmptyReserve() -> Bool {
        emptyReserves += 1
        return emptyReserves < Self.mostEmptyReserves
    }

    /// A connection has nothing in flight and nothing to do. The last one ends the run.
    func connectionIsDone() {
        busyConnections -= 1
        if busyConnections == 0 { done.succeed(report()) }
    }

    /// Looks how far the run is; fails it when no job has finished for `stallLimit`.
    func tick(stallLimit: TimeAmount) -> LoadGenerator.Progress {
        let now = NIODeadline.now()
        if finished != moved.finished { moved = (finished, now) }
        if now - moved.at > stallLimit {
            fail(BenchError("no job finished for \(stallLimit.nanoseconds / 1_000_000_000) s"))
        }
        let seconds = Double((now - started.at).nanoseconds) / 1e9
        return LoadGenerator.Progress(finished: finished, jobs: plan.jobs, seconds: seconds)
    }

    func fail(_ error: any Error) { done.fail(error) }

    private func serverTime() -> Int64? {
        serverProcess.flatMap { ProcessTime.nanoseconds(of: String($0)) }
    }

    private func report() -> BenchReport {
        let wall = (NIODeadline.now() - started.at).nanoseconds
        let server = serverTime().flatMap { now in started.server.map { now - $0 } }
        var report = BenchReport(plan: plan, seconds: Double(wall) / 1e9)
        report.jobs = finished
        report.clientShare = Double(ProcessTime.own() - started.own) / Double(max(1, wall))
        report.serverMicrosecondsPerJob = server.map { Double($0) / 1_000 / Double(max(1, finished)) }
        report.emptyReserves = emptyReserves
        report.findings = ledger.close(expectsAll: plan.mode != .enqueue)
        for command in LoadCommand.allCases where latencies[command.rawValue].count > 0 {
            report.latencies.append((command, LatencyReport(latencies[command.rawValue])))
        }
        return report
    }
}

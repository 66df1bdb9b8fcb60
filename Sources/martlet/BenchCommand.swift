public import ArgumentParser
import FoundationEssentials
import Glibc
public import MartletBench

/// `martlet bench`: puts a server under load and checks that every job came exactly once.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Put a broker under load and check that every job came exactly once.",
        discussion: """
            One thread drives all connections. Each keeps --pipeline jobs in flight, and the commands that one read \
            gives rise to leave in one write. Ends with 1 when a job was lost, came twice or out of order.
            """)

    @Option(help: "Where the server is.")
    var host = "127.0.0.1"
    @Option(help: "Its port; MARTLET_PORT names it too. (default: 7379)")
    var port: Int?
    @Option(help: "What the server speaks: \(BenchPlan.Peer.allCases.map(\.rawValue).joined(separator: ", ")).")
    var peer = BenchPlan.Peer.martlet
    @Option(help: "What a job is: \(BenchPlan.Mode.allCases.map(\.rawValue).joined(separator: ", ")).")
    var mode = BenchPlan.Mode.cycle
    @Option(name: [.customShort("c"), .long], help: "Connections.")
    var connections = 16
    @Option(name: [.customShort("P"), .long], help: "Jobs in flight on each connection.")
    var pipeline = 1
    @Option(name: [.customShort("n"), .long], help: "Jobs.")
    var jobs = 100_000
    @Option(help: "Bytes of a payload.")
    var payload = 256
    @Option(help: "mixed (1 to 10) or single.")
    var priorities = BenchPlan.Priorities.mixed
    @Option(help: "The queue; its default has a random part, so that runs do not meet.")
    var queue: String?
    @Option(help: "How long ended tasks are kept: milliseconds, or default for the broker's own default.")
    var keep = "0"
    @Flag(help: "Send a REQ nonce with every command.")
    var req = false
    @Option(help: "Jobs per MADD, RESERVE and MACK. With --mode madd the default is 100.")
    var batch: Int?
    @Flag(help: "With --mode drain: check the order of hand-outs by their tokens.")
    var checkOrder = false
    @Option(help: "A file with the password.")
    var passwordFile: String?
    @Option(help: "The server's process, for its CPU time. INFO is asked otherwise.")
    var serverPid: Int?
    @Flag(help: "Print the figures as one line of JSON.")
    var json = false

    func run() async throws {
        let plan = try plan()
        let meter = ProgressLine()
        let report: BenchReport
        do {
            report = try await LoadGenerator.run(plan) { meter.show(Self.text($0)) }
        } catch {
            meter.clear()
            writeLine("martlet bench: \(error)", to: STDERR_FILENO)
            throw ExitCode(EX_UNAVAILABLE)
        }
        meter.clear()
        print(json ? report.json : report.text)
        if !report.isVerified { throw ExitCode.failure }
    }
}

extension BenchCommand {
    private static func text(_ progress: LoadGenerator.Progress) -> String {
        ProgressLine.text(
            done: progress.finished, of: progress.jobs, unit: "jobs", seconds: progress.seconds)
    }

    /// The options as a plan. Throws a usage error for what is not possible.
    private func plan() throws -> BenchPlan {
        var plan = BenchPlan()
        plan.host = host
        plan.port = port ?? ProcessInfo.processInfo.environment["MARTLET_PORT"].flatMap { Int($0) } ?? plan.port
        plan.peer = peer
        plan.mode = mode
        plan.connections = connections
        plan.pipeline = pipeline
        plan.jobs = jobs
        plan.payload = payload
        plan.priorities = priorities
        plan.queue = queue ?? "bench-\(UInt32.random(in: 0...UInt32.max))"
        plan.nonces = req
        plan.batch = batch ?? (mode == .madd ? 100 : 1)
        plan.checksOrder = checkOrder
        plan.serverProcess = serverPid
        plan.keep = try keptFor()
        plan.password = try password()
        if let problem = plan.problem() { throw ValidationError(problem) }
        return plan
    }

    private func keptFor() throws -> Int64? {
        if keep == "default" { return nil }
        guard let milliseconds = Int64(keep), milliseconds >= 0 else {
            throw ValidationError("--keep \(keep): must be milliseconds or default")
        }
        return milliseconds
    }

    private func password() throws -> String? {
        guard let passwordFile else { return nil }
        guard let text = try? String(contentsOfFile: passwordFile, encoding: .utf8) else {
            throw ValidationError("--password-file \(passwordFile): cannot be read")
        }
        return String(text.prefix { !$0.isNewline })
    }
}

extension BenchPlan.Mode: ExpressibleByArgument {}
extension BenchPlan.Peer: ExpressibleByArgument {}
extension BenchPlan.Priorities: ExpressibleByArgument {}

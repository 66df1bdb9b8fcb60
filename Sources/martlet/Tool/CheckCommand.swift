import ArgumentParser
import FoundationEssentials
import Glibc
import MartletBroker
import MartletProtocol

/// `martlet check`: holds a data directory's tables against each other.
struct CheckCommand: BrokerCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check the data of a broker that is stopped, or with --live of one that runs.",
        discussion: """
            Reads all tables and says where they disagree. With --repair it mends what can be derived and moves \
            damaged records out of the way; take a copy of the directory first. With --live the broker does it, goes \
            on meanwhile, and mends nothing. Ends with 0 when nothing is left to complain about, with 1 otherwise.
            """)

    @Option(help: "The data directory; MARTLET_DATA names it too. (default: ./martlet-data)")
    var data: String?
    @Flag(help: "Mend what can be derived.")
    var repair = false
    @Option(help: "How many disagreements are shown. (default: 100; --live: those that the broker tells)")
    var limit: Int?
    @Flag(help: "Let a running broker check its data.")
    var live = false
    @OptionGroup var broker: BrokerOptions

    mutating func validate() throws {
        if live, data != nil || repair || limit != nil {
            throw ValidationError("--live goes without --data, --repair and --limit: the broker knows its data")
        }
        guard live || !broker.namesPlace else {
            throw ValidationError("a broker is asked only with --live: add it, or name a directory with --data")
        }
    }

    mutating func run() async throws { if live { try await talk() } else { try checkDirectory() } }

    func run(_ door: Door) async throws(ToolError) {
        let reply = try await door.send(RESPCommand("BROKER.CHECK"), blocking: nil)
        guard let isSound = reply["ok"]?.boolean else { throw ToolError(EX_PROTOCOL, "not what BROKER.CHECK replies") }
        let problems = reply["problems"]?.elements ?? []
        door.show(reply) { _ in isSound ? "all tables agree" : problems.map { $0.cell }.joined(separator: "\n") }
        guard isSound else {
            throw ToolError(
                EXIT_FAILURE, "tables disagree; stop the broker, copy its directory, then mend it with check --repair")
        }
    }
}

extension CheckCommand {
    private func checkDirectory() throws {
        let directory = data ?? ProcessInfo.processInfo.environment["MARTLET_DATA"] ?? "./martlet-data"
        let progress = ProgressLine()
        do throws(StartError) {
            let report = try DataDirectory.check(directory, repair: repair) { table, records in
                progress.show("\(table): \(records) records")
            }
            progress.clear()
            print(broker.json ? reply(report).json : text(report))
            if report.left > 0 { throw StartError(EXIT_FAILURE, "") }
        } catch {
            progress.clear()
            if !error.description.isEmpty { writeLine("martlet check: \(error)", to: STDERR_FILENO) }
            throw ExitCode(error.exitCode)
        }
    }

    private var mostShown: Int { max(limit ?? 100, 0) }

    private func text(_ report: DataDirectory.Report) -> String {
        guard report.count > 0 else { return "\(report.tasks) tasks: all tables agree" }
        var lines = report.found.prefix(mostShown).map { finding in
            "\(finding.kind): \(finding.text)\(finding.isRepairable ? "" : " (cannot be derived)")"
        }
        if report.count > lines.count { lines.append("… \(report.count - lines.count) more") }
        lines.append("\(report.tasks) tasks, \(report.count) disagreements, \(report.left) left")
        if report.left > 0, !repair { lines.append("--repair mends what can be derived; copy the directory first") }
        return lines.joined(separator: "\n")
    }

    private func reply(_ report: DataDirectory.Report) -> RESPValue {
        let found = report.found.prefix(mostShown).map { finding in
            RESPValue.map([
                RESPField(.simple("kind"), .simple(finding.kind)), RESPField(.simple("text"), .simple(finding.text)),
                RESPField(.simple("repairable"), .boolean(finding.isRepairable)),
            ])
        }
        return .map([
            RESPField(.simple("tasks"), .integer(Int64(report.tasks))),
            RESPField(.simple("disagreements"), .integer(Int64(report.count))),
            RESPField(.simple("left"), .integer(Int64(report.left))), RESPField(.simple("found"), .array(found)),
        ])
    }
}

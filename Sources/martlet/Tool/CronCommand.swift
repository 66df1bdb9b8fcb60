import ArgumentParser
import MartletProtocol

/// `martlet cron`: tasks that the clock adds.
struct CronCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cron", abstract: "List, set, run, pause or delete tasks that the clock adds.",
        subcommands: [List.self, Set.self, Next.self, Run.self, Pause.self, Resume.self, Delete.self],
        defaultSubcommand: List.self)

    struct List: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List cron entries. (default)")
        @Argument(help: "Everything about this entry alone.")
        var name: String?
        @Flag(help: "Its last runs, too.")
        var history = false
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard name != nil || !history else { throw .usage("--history goes with an entry's name") }
            if let name {
                var command = RESPCommand("CRON.GET", .text(name))
                if history { command.append("HISTORY") }
                door.show(try await door.send(command), as: CronTable.entry)
            } else {
                door.show(try await door.call("CRON.LIST")) { CronTable.text($0.elements ?? []) }
            }
        }
    }

    struct Set: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Set an entry; it is changed if there is one of that name.",
            discussion: "martlet cron set nightly reports sales --spec '30 7 * * MON-FRI' --zone Europe/Berlin")
        @Argument(help: "The entry's name.")
        var name: String
        @Argument(help: "The queue its tasks go to.")
        var queue: String
        @Argument(help: "What kind of task it is.")
        var type: String
        @OptionGroup var payload: PayloadArguments
        @Option(help: "Minute, hour, day of month, month and day of week, as in a crontab.")
        var spec: String?
        @Option(help: "Instead of --spec: so often.")
        var every: SpanArgument?
        @Option(help: "The time zone of --spec. (default: UTC)")
        var zone: String?
        @Option(help: "skip: no run while the last one's task has not ended; allow. (default: allow)")
        var overlap: String?
        @Option(help: "What was missed while the broker was down: none, one or all runs. (default: one)")
        var catchup: String?
        @OptionGroup var options: TaskOptionArguments
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard (spec == nil) != (every == nil) else { throw .usage("say when with either --spec or --every") }
            var command = RESPCommand(
                "CRON.SET", .text(name), .text(queue), .text(type), .bytes(try payload.bytes()))
            if let spec { command.append("SPEC", .text(spec)) }
            if let every { command.append("EVERY", .integer(every.milliseconds)) }
            if let zone { command.append("TZ", .text(zone)) }
            if let overlap { command.append("OVERLAP", .text(overlap.uppercased())) }
            if let catchup { command.append("CATCHUP", .text(catchup.uppercased())) }
            try options.append(to: &command)
            command.append("REQ", .text(Door.nonce()))
            door.show(try await door.send(command)) { $0.cell }
        }
    }

    struct Next: BrokerCommand {
        static let configuration = CommandConfiguration(commandName: "next", abstract: "Show an entry's next runs.")
        @Argument(help: "The entry's name.")
        var name: String
        @Option(name: [.customShort("n"), .long], help: "How many.")
        var count = 10
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("CRON.NEXT", .text(name), .integer(Int64(count)))) { reply in
                (reply.elements ?? []).map { "\(TimeText.instant($0.integer ?? 0)) (\(TimeText.relative($0)))" }
                    .joined(separator: "\n")
            }
        }
    }

    struct Run: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "run", abstract: "Add an entry's task now; prints its id.")
        @Argument(help: "The entry's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("CRON.RUN", .text(name), "REQ", .text(Door.nonce()))) { $0.cell }
        }
    }

    struct Pause: BrokerCommand {
        static let configuration = CommandConfiguration(commandName: "pause", abstract: "Let an entry rest.")
        @Argument(help: "The entry's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("CRON.PAUSE", .text(name))) { $0.cell }
        }
    }

    struct Resume: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "resume", abstract: "Let an entry go on; what it missed is not made up for.")
        @Argument(help: "The entry's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("CRON.RESUME", .text(name))) { $0.cell }
        }
    }

    struct Delete: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete an entry; the tasks it added stay.")
        @Argument(help: "The entry's name.")
        var name: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("CRON.DEL", .text(name))) { $0.cell }
        }
    }
}

/// Cron entries as people look at them in lists.
enum CronTable {
    /// Everything about one.
    static func entry(_ entry: RESPValue) -> String {
        let known = entry.pairs.filter { $0.name != "history" }
        let fields = OutputTable.fields(known, instants: ["last_run", "next_run"])
        guard let runs = entry["history"]?.elements else { return fields }
        var table = OutputTable(["RUN", "TASK"])
        for run in runs { table.add([TimeText.instant(run["at"]?.integer ?? 0), run["id"]?.cell ?? "-"]) }
        return fields + "\n\n" + table.text
    }

    static func text(_ entries: [RESPValue]) -> String {
        guard !entries.isEmpty else { return "no cron entries" }
        var table = OutputTable(["NAME", "QUEUE", "TYPE", "WHEN", "ZONE", "LAST", "NEXT", "RUNS", "NOTE"])
        for entry in entries {
            let field = { (name: String) in entry[name]?.cell ?? "-" }
            let every = entry["every"]?.integer.map { "every \(TimeText.exactSpan($0))" }
            table.add([
                field("name"), field("queue"), field("type"), every ?? field("spec"), field("tz"),
                TimeText.relative(entry["last_run"]), TimeText.relative(entry["next_run"]), field("runs"),
                entry["paused"]?.boolean == true ? "paused" : "",
            ])
        }
        return table.text
    }
}

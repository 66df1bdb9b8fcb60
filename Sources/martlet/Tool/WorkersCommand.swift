import ArgumentParser
import MartletProtocol

/// `martlet workers`: who works, and telling them to stop.
struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers", abstract: "List workers, or tell them to take nothing more or to stop.",
        subcommands: [List.self, Quiet.self, Stop.self, Forget.self], defaultSubcommand: List.self)

    struct List: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List workers. (default)")
        @Argument(help: "Everything about this worker alone.")
        var worker: String?
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            if let worker {
                door.show(try await door.call("WORKER.INFO", .text(worker))) { OutputTable.fields($0) }
            } else {
                door.show(try await door.call("WORKER.LIST")) { WorkerTable.text($0.elements ?? []) }
            }
        }
    }

    struct Quiet: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "quiet", abstract: "Let a worker finish what it has and take nothing more.")
        @Argument(help: "The worker; '*' for all.")
        var worker: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("WORKER.QUIET", .text(worker))) { $0.cell }
        }
    }

    struct Stop: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "stop", abstract: "Tell a worker to end in order.")
        @Argument(help: "The worker; '*' for all.")
        var worker: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("WORKER.STOP", .text(worker))) { $0.cell }
        }
    }
}

extension WorkersCommand {
    struct Forget: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "forget", abstract: "Take a worker that is no more off the list.")
        @Argument(help: "The worker.")
        var worker: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("WORKER.BYE", .text(worker), "REQ", .text(Door.nonce()))) { $0.cell }
        }
    }
}

/// Workers as people look at them in lists.
enum WorkerTable {
    static func text(_ workers: [RESPValue]) -> String {
        workers.isEmpty ? "no workers" : table(workers).text
    }

    static func table(_ workers: [RESPValue]) -> OutputTable {
        var table = OutputTable([
            "WORKER", "HOST", "PID", "STATE", "SLOTS", "BUSY", "DONE", "FAILED", "MIB", "BEAT", "QUEUES",
        ])
        for worker in workers {
            let field = { (name: String) in worker[name]?.cell ?? "-" }
            table.add([
                field("id"), field("host"), field("pid"), field("state"), field("slots"), field("busy"),
                field("completed"), field("failed"), worker["rss"]?.integer.map { "\($0 >> 20)" } ?? "-",
                TimeText.relative(worker["last_beat"]), field("queues"),
            ])
        }
        return table
    }
}

import ArgumentParser
import MartletProtocol

/// `martlet ops`: what is done to many tasks in the background.
struct OperationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ops", abstract: "List operations on many tasks, or stop one.",
        discussion: "They come from bulk and dlq replay; --no-wait prints their ids.",
        subcommands: [List.self, Stop.self], defaultSubcommand: List.self)

    struct List: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List operations, those that are over for a while, too. (default)")
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("TASK.OPS")) { OperationTable.text($0.elements ?? []) }
        }
    }

    struct Stop: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "stop", abstract: "Stop an operation where it is; what it did stays done.")
        @Argument(help: "Its id.")
        var id: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("TASK.STOPOP", .text(id), "REQ", .text(Door.nonce()))) { $0.cell }
        }
    }
}

/// Operations as people look at them in lists.
enum OperationTable {
    static func text(_ operations: [RESPValue]) -> String {
        guard !operations.isEmpty else { return "no operations" }
        var table = OutputTable(["ID", "VERB", "STATE", "MATCHED", "DONE", "FAILED", "RATE", "STARTED", "ENDED"])
        for operation in operations {
            let names = ["id", "verb", "state", "matched", "done", "failed", "rate"]
            table.add(
                names.map { operation[$0]?.cell ?? "-" }
                    + ["started", "ended"].map { TimeText.relative(operation[$0]) })
        }
        return table.text
    }
}

import ArgumentParser
import MartletProtocol

/// `martlet batch`: tasks that are one undertaking.
struct BatchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batch", abstract: "Open, seal, show or cancel a batch of tasks.",
        discussion: "Tasks come into it with martlet add --batch ID; it ends when it is sealed and they have ended.",
        subcommands: [Show.self, New.self, Seal.self, Cancel.self], defaultSubcommand: Show.self)

    struct Show: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show how a batch stands. (default)")
        @Argument(help: "Its id.")
        var id: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("BATCH.INFO", .text(id))) { OutputTable.fields($0) }
        }
    }

    struct New: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "new", abstract: "Open a batch; prints its id.")
        @Option(
            parsing: .upToNextOption,
            help: ArgumentHelp("The task that is added when all have completed.", valueName: "queue type payload"))
        var onSuccess: [String] = []
        @Option(
            parsing: .upToNextOption,
            help: ArgumentHelp("The task that is added when all have ended, however.", valueName: "queue type payload"))
        var onComplete: [String] = []
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            var command = RESPCommand("BATCH.NEW")
            for (when, words) in [("SUCCESS", onSuccess), ("COMPLETE", onComplete)] where !words.isEmpty {
                guard words.count % 3 == 0 else {
                    throw .usage("--on-\(when.lowercased()) takes a queue, a type and a payload")
                }
                for first in stride(from: 0, to: words.count, by: 3) {
                    command.append("ON", .text(when))
                    for word in words[first..<first + 3] { command.append(.text(word)) }
                }
            }
            command.append("REQ", .text(Door.nonce()))
            door.show(try await door.send(command)) { $0.cell }
        }
    }

    struct Seal: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "seal", abstract: "Say that a batch has all its tasks.")
        @Argument(help: "Its id.")
        var id: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("BATCH.SEAL", .text(id), "REQ", .text(Door.nonce()))) { $0.cell }
        }
    }

    struct Cancel: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "cancel", abstract: "Seal a batch and cancel its tasks that have not ended.")
        @Argument(help: "Its id.")
        var id: String
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            door.show(try await door.call("BATCH.CANCEL", .text(id), "REQ", .text(Door.nonce()))) { $0.cell }
        }
    }
}

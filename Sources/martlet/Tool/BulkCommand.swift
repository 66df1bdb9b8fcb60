import ArgumentParser
import Glibc
import MartletProtocol

/// `martlet bulk`: does to many tasks what `martlet task` does to one.
struct BulkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bulk", abstract: "Retry, move, cancel or delete many tasks; waits until it is done.",
        subcommands: [Retry.self, Move.self, Cancel.self, Delete.self])

    struct Retry: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "retry", abstract: "Run ended or scheduled tasks now.")
        @OptionGroup var which: BulkArguments
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) { try await door.bulk(["RETRY"], which) }
    }

    struct Move: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "move", abstract: "Give waiting tasks another priority, time or queue.")
        @Option(help: "Their new priority, 1 to 10.")
        var priority: Int?
        @Option(name: .customLong("in"), help: "How long from now they are due; 0: now.")
        var delay: SpanArgument?
        @Option(help: "Their new queue.")
        var to: String?
        @OptionGroup var which: BulkArguments
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard priority != nil || delay != nil || to != nil else { throw .usage("say --priority, --in or --to") }
            var verb: [RESPCommand.Argument] = ["MOVE"]
            if let priority { verb += ["PRIORITY", .integer(Int64(priority))] }
            if let delay { verb += ["AT", .integer(TimeText.now + delay.milliseconds)] }
            if let to { verb += ["QUEUE", .text(to)] }
            try await door.bulk(verb, which)
        }
    }

    struct Cancel: BrokerCommand {
        static let configuration = CommandConfiguration(commandName: "cancel", abstract: "Cancel tasks.")
        @OptionGroup var which: BulkArguments
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) { try await door.bulk(["CANCEL"], which) }
    }

    struct Delete: BrokerCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete", abstract: "Delete tasks with everything that is known of them.")
        @OptionGroup var which: BulkArguments
        @Flag(help: "Really do it.")
        var confirm = false
        @OptionGroup var broker: BrokerOptions

        func run(_ door: Door) async throws(ToolError) {
            guard confirm || which.dryRun else {
                let count = try await door.send(which.command(["DEL"], isTrial: true))
                throw .usage("\(count.cell) tasks would be deleted; add --confirm to delete them")
            }
            try await door.bulk(["DEL"], which)
        }
    }
}

/// Which tasks, and how fast.
struct BulkArguments: ParsableArguments {
    @Argument(help: "The queue.")
    var queue: String
    @Option(help: "Their state: pending, scheduled, dlq …")
    var state: String
    @Option(help: "Only of this type.")
    var type: String?
    @Option(help: "Only with this tag.")
    var tag: String?
    @Option(help: "Only with this kind of error.")
    var kind: String?
    @Option(help: "Only those added longer ago than this.")
    var older: SpanArgument?
    @Option(help: "At most so many.")
    var max: Int?
    @Option(help: "So many a second at most.")
    var rate: Int?
    @Flag(help: "Only say how many it would be.")
    var dryRun = false
    @Flag(help: "Do not wait; print the operation's id.")
    var noWait = false

    func command(_ verb: [RESPCommand.Argument], isTrial: Bool) -> RESPCommand {
        var command = RESPCommand("TASK.BULK")
        for argument in verb { command.append(argument) }
        command.append(.text("WHERE"))
        command.append("QUEUE", .text(queue))
        command.append("STATE", .text(state.uppercased()))
        for case (let name, let value?) in [("TYPE", type), ("TAG", tag), ("KIND", kind)] {
            command.append(name, .text(value))
        }
        if let older { command.append("OLDER", .integer(older.milliseconds)) }
        if let max { command.append("MAX", .integer(Int64(max))) }
        if let rate { command.append("RATE", .integer(Int64(rate))) }
        if isTrial { command.append(.text("DRYRUN")) } else { command.append("REQ", .text(Door.nonce())) }
        return command
    }
}

extension Door {
    /// Does it, and waits until it is done unless told otherwise.
    fileprivate func bulk(_ verb: [RESPCommand.Argument], _ which: BulkArguments) async throws(ToolError) {
        let reply = try await send(which.command(verb, isTrial: which.dryRun))
        if which.dryRun { return show(reply) { "\($0.cell) tasks" } }
        if which.noWait { return show(reply) { $0.cell } }
        let operation = try await operation(reply.cell)
        show(operation) { "\($0["done"]?.cell ?? "0") done, \($0["failed"]?.cell ?? "0") failed" }
        if operation["failed"]?.integer ?? 0 > 0 { throw ToolError(EX_DATAERR, "some could not be done") }
    }
}

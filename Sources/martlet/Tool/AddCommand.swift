import ArgumentParser
import MartletProtocol

/// `martlet add`: adds one task.
struct AddCommand: BrokerCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Add a task; prints its id.",
        discussion: "Spans of time are 250ms, 30s, 5m, 2h or 7d; a bare number is milliseconds.")

    @Argument(help: "The queue; it appears with its first task.")
    var queue: String
    @Argument(help: "What kind of task it is.")
    var type: String
    @OptionGroup var payload: PayloadArguments
    @OptionGroup var options: TaskOptionArguments
    @Option(help: "Instead of --delay: when it is due, as 2026-01-31T12:00:00Z or as Unix milliseconds.")
    var at: InstantArgument?
    @OptionGroup var unique: UniqueArguments
    @Option(help: "The id of a task that has to complete first; may be given several times.")
    var after: [String] = []
    @Option(help: "The id of the batch it is part of.")
    var batch: String?
    @Option(help: "When one of those ends badly: wait, cancel or run. (default: wait)")
    var onDead: OnDead?
    @Option(help: "A name for this very add: said again within 10 minutes, it adds nothing and prints the first id.")
    var request: String?
    @OptionGroup var broker: BrokerOptions

    /// What a dead dependency means.
    enum OnDead: String, ExpressibleByArgument { case wait, cancel, run }

    func run(_ door: Door) async throws(ToolError) {
        var command = RESPCommand("TASK.ADD", .text(queue), .text(type), .bytes(try payload.bytes()))
        try options.append(to: &command)
        guard at == nil || options.delay == nil else { throw .usage("say either --at or --delay") }
        if let at { command.append("AT", .integer(at.milliseconds)) }
        try unique.append(to: &command)
        guard !after.isEmpty || onDead == nil else { throw .usage("--on-dead goes with --after") }
        if !after.isEmpty {
            command.append("AFTER", .integer(Int64(after.count)))
            for id in after { command.append(.text(id)) }
            if let onDead { command.append("ONDEAD", .text(onDead.rawValue.uppercased())) }
        }
        if let batch { command.append("BATCH", .text(batch)) }
        command.append("REQ", .text(request ?? Door.nonce()))
        command.append(.text("FULL"))
        door.show(try await door.send(command)) { $0["id"]?.text ?? "" }
    }
}

extension Door {
    /// For a changing command: a repeat after a cut connection does nothing twice.
    static func nonce() -> String { "tool-\(UInt64.random(in: 0...UInt64.max))" }
}

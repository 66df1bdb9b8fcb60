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
    @Flag(help: "Each line of the payload is a task of its own; prints all their ids.")
    var lines = false
    @Option(help: "A name for this very add: said again within 10 minutes, it adds nothing and prints the first id.")
    var request: String?
    @OptionGroup var broker: BrokerOptions

    /// What a dead dependency means.
    enum OnDead: String, ExpressibleByArgument { case wait, cancel, run }

    func run(_ door: Door) async throws(ToolError) {
        if lines { return try await addLines(door) }
        var command = RESPCommand("TASK.ADD", .text(queue), .text(type), .bytes(try payload.bytes()))
        try append(to: &command)
        try unique.append(to: &command)
        command.append("REQ", .text(request ?? Door.nonce()))
        command.append(.text("FULL"))
        door.show(try await door.send(command)) { $0["id"]?.text ?? "" }
    }

    /// Lines of one TASK.MADD, and about how many bytes: each of those is one transaction.
    private static let batch = (lines: 1_000, bytes: 1024 * 1024)

    private func addLines(_ door: Door) async throws(ToolError) {
        guard unique.unique == nil, request == nil else { throw .usage("--lines goes without --unique and --request") }
        let payload = try payload.bytes()
        guard self.payload.file != nil || payload.count <= Limits.payload else {
            throw .usage("more than \(Limits.payload) bytes of lines: give them as a --file")
        }
        var rest = payload.split(separator: UInt8(ascii: "\n"))[...]
        var ids: [RESPValue] = []
        while !rest.isEmpty {
            var (count, bytes) = (0, 0)
            while count < min(rest.count, Self.batch.lines), count == 0 || bytes < Self.batch.bytes {
                bytes += rest[rest.startIndex + count].count
                count += 1
            }
            var command = RESPCommand("TASK.MADD", .text(queue))
            try append(to: &command)
            command.append("REQ", .text(Door.nonce()))
            command.append("TASKS", .integer(Int64(count)))
            for line in rest.prefix(count) {
                command.append(.text(type))
                command.append(.bytes(Bytes(line)))
            }
            ids += try await door.send(command).elements ?? []
            rest = rest.dropFirst(count)
        }
        door.show(.array(ids)) { _ in ids.map(\.cell).joined(separator: "\n") }
    }

    /// What TASK.ADD and TASK.MADD have in common.
    private func append(to command: inout RESPCommand) throws(ToolError) {
        try options.append(to: &command)
        guard at == nil || options.delay == nil else { throw .usage("say either --at or --delay") }
        if let at { command.append("AT", .integer(at.milliseconds)) }
        guard !after.isEmpty || onDead == nil else { throw .usage("--on-dead goes with --after") }
        if !after.isEmpty {
            command.append("AFTER", .integer(Int64(after.count)))
            for id in after { command.append(.text(id)) }
            if let onDead { command.append("ONDEAD", .text(onDead.rawValue.uppercased())) }
        }
        if let batch { command.append("BATCH", .text(batch)) }
    }
}

extension Door {
    /// For a changing command: a repeat after a cut connection does nothing twice.
    static func nonce() -> String { "tool-\(UInt64.random(in: 0...UInt64.max))" }
}

import ArgumentParser
import FoundationEssentials
import Glibc
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
    @Argument(help: "The payload; - reads standard input.")
    var payload = ""
    @Option(help: "A file that holds the payload.")
    var file: String?
    @Option(help: "1 to 10; 10 is the most urgent. (default: 5)")
    var priority: Int?
    @Option(help: "How long from now it is due.")
    var delay: SpanArgument?
    @Option(help: "Further attempts after the first. (default: 3)")
    var retries: Int?
    @Option(help: "How long one attempt may take.")
    var timeout: SpanArgument?
    @Option(help: "How long it is worth starting.")
    var ttl: SpanArgument?
    @Option(help: "How long its record outlives its end. (default: 1d)")
    var keep: SpanArgument?
    @Option(help: "Adds nothing while a task with this key is not ended, and prints that one's id.")
    var unique: String?
    @Option(help: "A tag; may be given several times.")
    var tag: [String] = []
    @OptionGroup var broker: BrokerOptions

    func run(_ door: Door) async throws(ToolError) {
        var command = RESPCommand("TASK.ADD", .text(queue), .text(type), .bytes(try bytes()))
        if let priority { command.append("PRIORITY", .integer(Int64(priority))) }
        if let delay { command.append("DELAY", .integer(delay.milliseconds)) }
        if let retries { command.append("RETRIES", .integer(Int64(retries))) }
        for (name, span) in [("TIMEOUT", timeout), ("TTL", ttl), ("KEEP", keep)] {
            if let span { command.append(name, .integer(span.milliseconds)) }
        }
        if let unique { command.append("UNIQUE", .text(unique)) }
        if !tag.isEmpty {
            command.append("TAGS", .integer(Int64(tag.count)))
            for tag in tag { command.append(.text(tag)) }
        }
        command.append("REQ", .text(Door.nonce()))
        command.append(.text("FULL"))
        door.show(try await door.send(command)) { $0["id"]?.text ?? "" }
    }

    private func bytes() throws(ToolError) -> Bytes {
        if let file {
            guard let data = FileManager.default.contents(atPath: file) else {
                throw ToolError(EX_NOINPUT, "cannot read \(file)")
            }
            return Bytes(data)
        }
        guard payload == "-" else { return Bytes(payload.utf8) }
        guard let data = try? FileHandleReader.all(STDIN_FILENO) else {
            throw ToolError(EX_NOINPUT, "cannot read the payload from standard input")
        }
        return data
    }
}

extension Door {
    /// For a changing command: a repeat after a cut connection does nothing twice.
    static func nonce() -> String { "tool-\(UInt64.random(in: 0...UInt64.max))" }
}

/// Reads a descriptor to its end, at most a payload.
enum FileHandleReader {
    struct Failed: Error {}

    static func all(_ descriptor: Int32) throws -> Bytes {
        var bytes = Bytes()
        var chunk = Bytes(repeating: 0, count: 64 * 1024)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 else { throw Failed() }
            guard count > 0, bytes.count <= Limits.payload else { return bytes }
            bytes += chunk[..<count]
        }
    }
}

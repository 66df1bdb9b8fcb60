import ArgumentParser
import FoundationEssentials
import Glibc
import MartletProtocol

/// A task's payload on a command line.
struct PayloadArguments: ParsableArguments {
    @Argument(help: "The payload; - reads standard input.")
    var payload = ""
    @Option(help: "A file that holds the payload.")
    var file: String?

    func bytes() throws(ToolError) -> Bytes {
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

/// What may be said of a task that is added, now or by the clock.
struct TaskOptionArguments: ParsableArguments {
    @Option(help: "1 to 10; 10 is the most urgent. (default: 5)")
    var priority: Int?
    @Option(help: "How long after it is added it is due.")
    var delay: SpanArgument?
    @Option(help: "Further attempts after the first. (default: 3)")
    var retries: Int?
    @Option(help: "How long until a retry: 'exponential 1s 5m', 'linear 5s 1m', 'fixed 10s' or 'list 5s 1m 5m'.")
    var backoff: BackoffArgument?
    @Option(help: "So many per cent of that are added at most, by chance. (default: 10)")
    var jitter: Int?
    @Option(help: "How long a worker has it without a sign of life. (default: 30s)")
    var lease: SpanArgument?
    @Option(help: "How long one attempt may take.")
    var timeout: SpanArgument?
    @Option(help: "How long it is worth starting.")
    var ttl: SpanArgument?
    @Option(help: "How long its record outlives its end. (default: 1d)")
    var keep: SpanArgument?
    @Option(help: "Whose it is.")
    var group: String?
    @Option(help: "A key; of the queue's tasks with it one runs at a time, in the order of their adds.")
    var order: String?
    @Option(help: "A limit whose token it waits for, or limit=cost; may be given several times.")
    var limit: [String] = []
    @Option(help: "A tag; may be given several times.")
    var tag: [String] = []
    @Option(help: "A field that goes with it, as name=value; may be given several times.")
    var meta: [String] = []

    func append(to command: inout RESPCommand) throws(ToolError) {
        if let priority { command.append("PRIORITY", .integer(Int64(priority))) }
        if let delay { command.append("DELAY", .integer(delay.milliseconds)) }
        if let retries { command.append("RETRIES", .integer(Int64(retries))) }
        for word in backoff?.words ?? [] { command.append(.text(word)) }
        if let jitter { command.append("JITTER", .integer(Int64(jitter))) }
        for (name, span) in [("LEASE", lease), ("TIMEOUT", timeout), ("TTL", ttl), ("KEEP", keep)] {
            if let span { command.append(name, .integer(span.milliseconds)) }
        }
        if let group { command.append("GROUP", .text(group)) }
        if let order { command.append("ORDER", .text(order)) }
        for limit in limit {
            let parts = limit.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            command.append("LIMIT", .text(String(parts[0])))
            if parts.count > 1 { command.append("COST", .text(String(parts[1]))) }
        }
        if !tag.isEmpty { command.append("TAGS", .integer(Int64(tag.count))) }
        for tag in tag { command.append(.text(tag)) }
        if !meta.isEmpty { command.append("META", .integer(Int64(meta.count))) }
        for field in meta {
            let parts = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw .usage("'\(field)' is no field: give --meta name=value") }
            for part in parts { command.append(.text(String(part))) }
        }
    }
}

/// What makes a task one of its kind.
struct UniqueArguments: ParsableArguments {
    @Option(help: "Adds nothing while a task with this key is not ended, and prints that one's id.")
    var unique: String?
    @Option(name: .customLong("unique-for"), help: "The key is free after this, whatever becomes of the task.")
    var span: SpanArgument?
    @Option(
        name: .customLong("unique-until"),
        help: "When the key is free: done, start, or expire (with its record or --unique-for). (default: done)")
    var end: End?
    @Option(help: "When the key is taken: skip, replace the task that waits, or error. (default: skip)")
    var onDuplicate: OnDuplicate?

    enum End: String, ExpressibleByArgument { case start, done, expire }

    enum OnDuplicate: String, ExpressibleByArgument { case skip, replace, error }

    func append(to command: inout RESPCommand) throws(ToolError) {
        guard let unique else {
            guard span == nil, end == nil, onDuplicate == nil else {
                throw .usage("--unique-for, --unique-until and --on-duplicate go with --unique")
            }
            return
        }
        command.append("UNIQUE", .text(unique))
        if let span { command.append("FOR", .integer(span.milliseconds)) }
        if let end { command.append("UNTIL", .text(end.rawValue.uppercased())) }
        if let onDuplicate { command.append("ON", .text(onDuplicate.rawValue.uppercased())) }
    }
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

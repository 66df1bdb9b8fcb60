import ArgumentParser
import Glibc
import MartletProtocol

/// `martlet inject`: fills a queue with tasks for trials: waiting, scheduled or dead ones.
struct InjectCommand: BrokerCommand {
    static let configuration = CommandConfiguration(
        commandName: "inject", abstract: "Add many tasks for trials, waiting or dead.",
        discussion: "Their payloads are {\"number\": n, \"filler\": \"…\"}; their priorities go round from 1 to 10.")

    @Argument(help: "The queue.")
    var queue: String
    @Option(name: [.customShort("n"), .long], help: "How many.")
    var count = 100
    @Option(help: "Their type.")
    var type = "test"
    @Option(help: "How long the filler of a payload is, in bytes.")
    var payload = 100
    @Option(help: "The priority of all of them. (default: from 1 to 10 in turn)")
    var priority: Int?
    @Option(help: "How long from now they are due.")
    var delay: SpanArgument?
    @Flag(help: "Make dead letters of them.")
    var dead = false
    @OptionGroup var broker: BrokerOptions

    /// Tasks of one TASK.MADD: a priority's share.
    private static let batch = 500

    func run(_ door: Door) async throws(ToolError) {
        guard (1...100_000_000).contains(count) else { throw .usage("--count must be 1 to 100000000") }
        guard (0...Limits.payload - 1_000).contains(payload) else { throw .usage("--payload is too large") }
        guard !dead || delay == nil else { throw .usage("--dead takes no --delay") }
        let progress = ProgressLine()
        let started = ContinuousClock.now
        var done = 0
        while done < count {
            let size = min(batchSize, count - done)
            let level = priority ?? done / batchSize % 10 + 1
            _ = try await door.send(add(done..<done + size, priority: level))
            if dead { try await bury(done..<done + size, door) }
            done += size
            let seconds = (ContinuousClock.now - started) / .seconds(1)
            progress.show(ProgressLine.text(done: done, of: count, unit: "tasks", seconds: seconds))
        }
        progress.clear()
        let fields = [("queue", RESPValue.simple(queue)), ("added", .integer(Int64(done)))]
        door.show(.map(fields.map { RESPField(.simple($0.0), $0.1) })) { _ in
            "\(done) \(dead ? "dead letters" : "tasks") in queue \(queue)"
        }
    }

    /// At most 4 MiB at once; a tenth of a small number, so that all priorities occur.
    private var batchSize: Int {
        max(1, min(Self.batch, 4 * 1024 * 1024 / (payload + 100), (count + 9) / 10))
    }

    private func add(_ numbers: Range<Int>, priority: Int) -> RESPCommand {
        var command = RESPCommand("TASK.MADD", .text(queue))
        command.append("PRIORITY", .integer(Int64(priority)))
        if dead { command.append("RETRIES", 0) }
        if let delay { command.append("DELAY", .integer(delay.milliseconds)) }
        command.append("REQ", .text(Door.nonce()))
        command.append("TASKS", .integer(Int64(numbers.count)))
        let filler = String(repeating: "x", count: payload)
        for number in numbers { command.append(type, .text("{\"number\":\(number),\"filler\":\"\(filler)\"}")) }
        return command
    }

    /// Hands out as many as were just added, and fails them for good.
    private func bury(_ numbers: Range<Int>, _ door: Door) async throws(ToolError) {
        var left = numbers
        while !left.isEmpty {
            let reply = try await door.call(
                "TASK.RESERVE", 1, .text(queue), "COUNT", .integer(Int64(left.count)), "WORKER", "martlet-inject",
                "REQ",
                .text(Door.nonce()))
            let tasks = reply.elements ?? []
            guard !tasks.isEmpty else {
                throw ToolError(EX_TEMPFAIL, "others take tasks from queue \(queue); choose a queue without workers")
            }
            for (number, task) in zip(left, tasks) {
                _ = try await door.call(
                    "TASK.FAIL", .bytes(task["id"]?.bytes ?? []), .integer(task["token"]?.integer ?? 0),
                    "injected failure", "KIND", number % 2 == 0 ? "injected" : "injected_other", "DEAD", "REQ",
                    .text(Door.nonce()))
            }
            left = left.dropFirst(tasks.count)
        }
    }
}

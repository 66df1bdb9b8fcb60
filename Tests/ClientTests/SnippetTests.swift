import Foundation
import Logging
import MartletClient
import Testing

/// The code in the documentation stands in `Snippets/`, where it is compiled, and does what it says.
@Suite(.timeLimit(.minutes(2)))
struct SnippetTests {
    private static let here = URL(filePath: #filePath).deletingLastPathComponent()

    private static func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { $0.trimmingCharacters(in: .whitespaces) }
    }

    /// The Swift code of a page, block by block, without indentation.
    private static func blocks(_ page: URL) throws -> [[String]] {
        var blocks: [[String]] = []
        var isInside = false
        for line in lines(try String(contentsOf: page, encoding: .utf8)) {
            if line == "```swift" {
                blocks.append([])
                isInside = true
            } else if line == "```" {
                isInside = false
            } else if isInside, !line.isEmpty {
                blocks[blocks.count - 1].append(line)
            }
        }
        return blocks
    }

    private static func snippets() throws -> [[String]] {
        try FileManager.default.contentsOfDirectory(
            at: here.appending(path: "Snippets"), includingPropertiesForKeys: nil
        )
        .map { lines(try String(contentsOf: $0, encoding: .utf8)).filter { !$0.isEmpty } }
    }

    @Test(arguments: ["MartletClient", "Submitting", "Working", "Failing", "Observing", "Inspecting", "Flow"])
    func everyBlockOfAPageIsCompiled(page: String) throws {
        let catalog = Self.here.appending(path: "../../Sources/Client/MartletClient.docc")
        let blocks = try Self.blocks(catalog.appending(path: page + ".md"))
        let snippets = try Self.snippets()
        #expect(!blocks.isEmpty)
        for block in blocks {
            #expect(
                snippets.contains { Self.stands(block, in: $0) }, "\(page).md: not in Snippets/: \(block.first ?? "")")
        }
    }

    private static func stands(_ block: [String], in lines: [String]) -> Bool {
        lines.indices.contains { lines[$0...].starts(with: block) }
    }

    @Test func whatThePagesShowRuns() async throws {
        let broker = try BrokerProcess()
        let logger = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        let client = MartletClient(broker.configuration)
        try await Snippets.submit(client)
        let configuration = broker.configuration
        let working = Task { try await Snippets.work(configuration, Snippets.handlers(), logger) }
        try await Snippets.first(broker.configuration)
        let later = try await client.enqueue(.init(image: "z.png", width: 1), as: Resize.self, queue: "other")
        try await Snippets.inspect(client, later)
        try await Snippets.lookAfter(client)
        try await Snippets.follow(client)
        try await Snippets.schedule(client)
        let answer = Bytes(#"{"data": {"rate_limit": {"requests": 230, "interval": "10s"}}}"#.utf8)
        try await Snippets.limit(client, answer) { $0 }
        try await Snippets.guardCalls(client) { $0 }
        try await Snippets.together(client)
        try await Snippets.keep(client, in: broker.folder.path())
        #expect(try await Snippets.compute(client) { $0 } == "rates")
        #expect(try await Snippets.compute(client) { _ in "others" } == "rates")
        working.cancel()
        _ = await working.result
        await client.close()
    }

    @Test func aServiceThatIsBusyIsAskedAgainWhenItSays() async throws {
        let broker = try BrokerProcess()
        let logger = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        let client = MartletClient(broker.configuration)
        let (handlers, options) = Snippets.failing { image in
            switch image {
            case "busy": Snippets.Answer(status: 429, retryAfter: "7", body: "")
            case "down": Snippets.Answer(status: 503, body: "")
            default: Snippets.Answer(status: 404, body: "")
            }
        }
        var tasks: [TaskHandle<Resize.Output>] = []
        for image in ["busy", "down", "gone"] {
            tasks.append(try await client.enqueue(.init(image: image, width: 1), as: Resize.self))
        }
        let worker = Worker(
            broker.configuration, queues: [Resize.queue], handlers: handlers, options: options, logger: logger)
        let running = Task { try await worker.run() }
        await #expect {
            try await tasks[2].result()
        } throws: {
            guard case .taskEnded(let end)? = $0 as? MartletError else { return false }
            return end.state == .dead && end.kind == "PermanentError"
        }
        for (task, kind, delay) in [
            (tasks[0], "RateLimitError", 7_000...7_000), (tasks[1], "ServiceUnavailable", 5_000...5_500),
        ] {
            var details = try await task.details(history: true)
            while details.state != .scheduled { details = try await task.details(history: true) }
            #expect(details.errorKind == kind)
            let failed = try #require(details.history?.last { $0.kind != nil }?.at)
            #expect(delay.contains(Int(details.runAt - failed)))
        }
        running.cancel()
        _ = await running.result
        await client.close()
    }
}

import Foundation
import MartletBroker
import MartletProtocol
import Testing

@Suite(.timeLimit(.minutes(1)))
struct CommandReferenceTests {
    private let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/commands.md")

    /// With MARTLET_WRITE_DOCS set it is written instead: that is `tools/docs`.
    @Test func `the command reference is what the table says`() throws {
        if ProcessInfo.processInfo.environment["MARTLET_WRITE_DOCS"] != nil {
            try CommandReference.document.write(to: file, atomically: true, encoding: .utf8)
        }
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text == CommandReference.document, "docs/commands.md is stale: run tools/docs")
    }

    @Test func `every command is documented, and its keys are found`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let names = try #require(try client.call("COMMAND", "LIST").elements).compactMap(\.text)
            for name in names {
                #expect(CommandReference.document.contains("### \(name.uppercased())\n"))
                let entry = try #require(try client.call("COMMAND", "DOCS", name).elements)
                #expect(entry.first?.text == name)
            }
            #expect(try client.call("COMMAND", "GETKEYS", "EXISTS", "a", "b").elements?.map(\.text) == ["a", "b"])
            #expect(try client.call("COMMAND", "GETKEYS", "hget", "a", "b").elements?.map(\.text) == ["a"])
            #expect(try client.call("COMMAND", "GETKEYS", "MEMORY", "USAGE", "k").elements?.map(\.text) == ["k"])
            let none = try client.call("COMMAND", "GETKEYS", "PING").errorLine
            #expect(none == "ERR The command has no key arguments")
            #expect(try client.call("COMMAND", "LIST", "FILTERBY", "PATTERN", "WORKER.*").elements?.count == 7)
        }
    }
}

import MartletClient
import Synchronization
import Testing

/// The stream of events before answers of a script.
@Suite(.timeLimit(.minutes(1)))
struct ScriptedEventTests {
    private static func entry(_ place: String, from: String, to: String) -> String {
        let fields = [
            "seq", "7", "at", "1000", "id", "\(ScriptedHandOut.id)", "queue", "numbers", "type", "twice", "from", from,
            "to", to,
        ]
        let texts = fields.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
        return "*2\r\n$\(place.utf8.count)\r\n\(place)\r\n*\(fields.count)\r\n\(texts)"
    }

    @Test func eachReadGoesOnAfterTheLastEventAndAnEmptyOneIsRepeated() async throws {
        let reads = Mutex(0)
        let server = try await ScriptedServer { words in
            guard words.first == "XREAD" else {
                return words.first == "XREVRANGE" ? "*1\r\n\(Self.entry("1000-1", from: "", to: "PENDING"))" : nil
            }
            return reads.withLock { reads in
                reads += 1
                let stream = "%1\r\n$7\r\n@events\r\n*1\r\n"
                switch reads {
                case 1: return "_\r\n"
                case 2: return stream + Self.entry("1000-2", from: "", to: "PENDING")
                default: return stream + Self.entry("2000-0", from: "PENDING", to: "ACTIVE")
                }
            }
        }
        let client = MartletClient(server.configuration)
        var events = client.events().makeAsyncIterator()
        let first = try #require(try await events.next())
        #expect(first.position.text == "1000-2" && first.from == nil && first.to == .pending && first.sequence == 7)
        let second = try #require(try await events.next())
        #expect(second.position.text == "2000-0" && second.from == .pending && second.to == .active)
        #expect(await server.next("XREVRANGE") == ["XREVRANGE", "@events", "+", "-", "COUNT", "1"])
        for place in ["1000-1", "1000-1", "1000-2"] {
            let read = try #require(await server.next("XREAD"))
            #expect(read.suffix(3) == ["STREAMS", "@events", place] && read.contains("BLOCK"))
        }
        await client.close()
    }

    @Test func whatIsNoEventIsAnError() async throws {
        let server = try await ScriptedServer { words in
            words.first == "XREAD"
                ? "%1\r\n$7\r\n@events\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$3\r\nseq\r\n$1\r\nx\r\n" : nil
        }
        let client = MartletClient(server.configuration)
        await #expect {
            for try await _ in client.events(after: .start) {}
        } throws: {
            if case .decoding? = $0 as? MartletError { true } else { false }
        }
        await client.close()
    }
}

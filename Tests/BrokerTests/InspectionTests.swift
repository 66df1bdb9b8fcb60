import MartletBroker
import MartletProtocol
import Testing

@Suite(.timeLimit(.minutes(1)))
struct InspectionTests {
    @Test func `tasks show as reserved keys`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let low = try #require(try client.call("TASK.ADD", "a:b", "t", "low", "PRIORITY", "1").text)
            let high = try #require(try client.call("TASK.ADD", "a:b", "t", "high", "PRIORITY", "10").text)
            let later = try #require(try client.call("TASK.ADD", "a:b", "t", "later", "AT", "4102444800000").text)
            #expect(try client.call("HGETALL", "@task:\(high)")["state"]?.text == "PENDING")
            #expect(try client.call("HGET", "@task:\(high)", "payload").text == "high")
            #expect(try client.call("HGET", "@task:\(high)", "worker").isNull)
            let pending = try #require(
                try client.call("ZRANGE", "@queue:a:b:pending", "0", "-1", "WITHSCORES").elements)
            #expect(pending[0].text == high && pending[2].text == low)
            #expect(try #require(pending[3].integer) / 10_000_000_000_000 == 9)
            let scheduled = try client.call("ZRANGE", "@queue:a:b:scheduled", "0", "9", "WITHSCORES").elements
            #expect(scheduled?.map(\.text) == [later, "4102444800000"])
            #expect(try client.call("GET", "@metrics:tasks:state:pending").text == "2")
            #expect(try client.call("SMEMBERS", "@queues").elements?.map(\.text) == ["a:b"])
            #expect(try client.call("TYPE", "@queue:a:b:dlq").text == "list")
            #expect(try client.call("TYPE", "@task:\(low)").text == "hash")
            #expect(try client.call("EXISTS", "@task:\(low)", "@queues", "other", "@task:x").integer == 2)
            #expect(try client.call("TTL", "@queues").integer == -1 && client.call("TTL", "x").integer == -2)
            #expect(try client.call("LLEN", "@queue:a:b:pending").errorLine?.hasPrefix("WRONGTYPE") == true)
            #expect(try client.call("SET", "@queues", "1").errorLine?.hasPrefix("READONLY") == true)
            #expect(try client.call("DBSIZE").integer == 0)
            #expect(try client.call("SET", "k", "1").text == "OK")
            #expect(try client.call("DBSIZE").integer == 1)
        }
    }

    @Test func `SCAN walks every task once, KEYS lists none`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            var ids = Set<String>()
            for _ in 0..<25 { ids.insert(try #require(try client.call("TASK.ADD", "q", "t", "p").text)) }
            var (cursor, found): (String, [String]) = ("0", [])
            repeat {
                let page = try #require(
                    try client.call("SCAN", cursor, "MATCH", "@task:*", "COUNT", "10").elements)
                cursor = try #require(page[0].text)
                found += page[1].elements?.compactMap(\.text) ?? []
            } while cursor != "0"
            #expect(found.count == 25 && Set(found) == Set(ids.map { "@task:\($0)" }))
            #expect(try client.call("KEYS", "@*").elements?.contains { $0.text?.hasPrefix("@task") == true } == false)
            #expect(try client.call("KEYS", "*") == .array([]))
            #expect(try client.call("SCAN", "0").elements?.last == .array([]))
        }
    }

    @Test func `INFO has the sections of Redis and its own`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let text = try #require(try client.call("INFO").text)
            for section in [
                "Server", "Clients", "Memory", "Persistence", "Stats", "Keyspace", "Tasks", "Queues", "Storage",
            ] {
                #expect(text.contains("# \(section)\r\n"))
            }
            #expect(text.contains("redis_version:7.0.15\r\n"))
            #expect(try client.call("INFO", "tasks").text?.hasPrefix("# Tasks\r\n") == true)
        }
    }

    @Test(arguments: [
        ("*", "anything", true), ("@q*:d?q", "@queue:dlq", true), ("h[a-c]t", "hbt", true), ("h[^a]t", "hat", false),
        ("a\\*b", "a*b", true), ("a\\*b", "axb", false), ("a*b*c", "a-b-b-c", true), ("a*b*c", "a-b-b", false),
        ("", "", true), ("[", "x", false), ("[z-a]", "m", true),
    ])
    func `patterns match as Redis' do`(pattern: String, text: String, matches: Bool) {
        #expect(Glob(Array(pattern.utf8)).matches(Array(text.utf8)) == matches)
    }

    @Test func `a hostile pattern takes no exponential time`() {
        let pattern = Array(String(repeating: "*a", count: 500).utf8)
        #expect(!Glob(pattern + [UInt8(ascii: "b")]).matches(Bytes(repeating: UInt8(ascii: "a"), count: 2_000)))
    }

    @Test func `every row of the table is found under both spellings`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let names = try #require(try client.call("COMMAND", "LIST").elements).compactMap(\.text)
            #expect(names.count > 40 && names.count == Set(names).count)
            for name in names {
                let row = try client.call("COMMAND", "INFO", name.lowercased())
                #expect(row.elements?.first?.elements?.first?.text?.lowercased() == name.lowercased())
                #expect(try client.call("COMMAND", "INFO", name.filter { $0 != "." }) == row)
            }
            #expect(try client.call("TASK.NOPE").errorLine?.hasPrefix("ERR unknown command") == true)
        }
    }
}

import MartletProtocol
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TaskCommandTests {
    @Test func `a task goes from producer to worker and leaves its result`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let id = try #require(try client.call("TASK.ADD", "q", "mail", "hello", "PRIORITY", "9").text)
            let task = try #require(try client.call("TASK.RESERVE", "1", "q", "WORKER", "w").elements?.first)
            #expect(task["id"]?.text == id && task["payload"]?.text == "hello" && task["priority"]?.integer == 9)
            #expect(task["attempt"]?.integer == 1 && task["retries"]?.integer == 3)
            let token = try #require(task["token"]?.word)
            let touched = try client.call("TASK.TOUCH", id, token, "PROGRESS", "40", "NOTE", "half")
            #expect(touched["cancel"]?.boolean == false)
            #expect(try client.call("TASK.GET", id)["worker"]?.text == "w")
            #expect(try client.call("TASK.ACK", id, token, "RESULT", "done") == .simple("OK"))
            #expect(try client.call("TASK.RESULT", id).text == "done")
            let view = try client.call("TASK.GET", id, "PAYLOAD", "HISTORY")
            #expect(view["state"]?.text == "COMPLETED" && view["payload"]?.text == "hello")
            #expect(view["history"]?.elements?.isEmpty == false)
            #expect(try client.call("TASK.ACK", id, "999").errorLine?.hasPrefix("LEASELOST") == true)
            #expect(try client.call("QUEUE.INFO", "q")["completed"]?.integer == 1)
        }
    }

    @Test func `many tasks are added and acknowledged at once`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let ids = try client.call("TASK.MADD", "q", "PRIORITY", "3", "TASKS", "2", "a", "1", "b", "2").elements
            #expect(ids?.count == 2)
            let tasks = try #require(try client.call("TASK.RESERVE", "1", "q", "COUNT", "10").elements)
            #expect(tasks.map { $0["type"]?.text } == ["a", "b"])
            let words = tasks.flatMap { [$0["id"]?.word ?? "", $0["token"]?.word ?? ""] }
            try client.send(["TASK.MACK", "3"] + words + [words[0], "77"])
            let replies = try #require(try client.reply().elements)
            #expect(replies[0] == .simple("OK") && replies[1] == .simple("OK"))
            #expect(replies[2].errorLine?.hasPrefix("LEASELOST") == true)
        }
    }

    @Test func `a failed attempt is retried later, and the last one is dead`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            try client.call("TASK.ADD", "q", "t", "p", "RETRIES", "1", "BACKOFF", "FIXED", "60000", "JITTER", "0")
            let first = try #require(try client.call("TASK.RESERVE", "1", "q").elements?.first)
            let (id, token) = (first["id"]?.word ?? "", first["token"]?.word ?? "")
            let failed = try client.call("TASK.FAIL", id, token, "no luck", "KIND", "net", "RETRY", "0")
            #expect(failed["retries_left"]?.integer == 0 && failed["attempt"]?.integer == 1)
            let second = try #require(try client.call("TASK.RESERVE", "1", "q").elements?.first)
            #expect(second["last_error"]?.text == "no luck")
            let dead = try client.call("TASK.FAIL", id, second["token"]?.word ?? "", "again")
            #expect(dead["state"]?.text == "DLQ" && dead["run_at"]?.isNull == true)
            #expect(try client.call("LRANGE", "@queue:q:dlq", "0", "-1").elements == [.bulk(Array(id.utf8))])
        }
    }

    @Test func `NEXT does this connection's last RESERVE again`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            try client.call("TASK.MADD", "q", "TASKS", "2", "t", "1", "t", "2")
            let other = try broker.connect()
            let task = try #require(try client.call("TASK.RESERVE", "1", "q").elements?.first)
            let (id, token) = (task["id"]?.word ?? "", task["token"]?.word ?? "")
            let refused = try other.call("TASK.ACK", id, token, "NEXT")
            #expect(refused.errorLine?.hasPrefix("ERR NEXT") == true)
            let next = try #require(try client.call("TASK.ACK", id, token, "NEXT").elements?.first)
            #expect(next["payload"]?.text == "2")
            #expect(try client.call("TASK.ACK", next["id"]?.word ?? "", next["token"]?.word ?? "", "NEXT").isNull)
        }
    }

    @Test func `RESP2 and RESP3 give the same content`() async throws {
        try await withBroker { broker in
            let (two, three) = (try broker.connect(), try broker.connect())
            #expect(try three.call("HELLO", "3")["proto"]?.integer == 3)
            try two.call("TASK.ADD", "q", "t", "p", "REQ", "n")
            let id = try #require(try three.call("TASK.ADD", "q", "t", "p", "REQ", "n").text)
            guard case .array(let flat) = try two.call("TASK.GET", id, "PAYLOAD"),
                case .map(let fields) = try three.call("TASK.GET", id, "PAYLOAD")
            else {
                Issue.record("a map is flat in RESP2 only")
                return
            }
            #expect(flat.count == fields.count * 2)
            for (index, field) in fields.enumerated() {
                #expect(flat[index * 2] == field.key)
                let value = flat[index * 2 + 1]
                let isSame = value.word == field.value.word || value.boolean == field.value.boolean
                #expect(isSame, "\(field.key)")
            }
        }
    }

    @Test(arguments: [
        ("TASK.ADD q t p NOPE 1", "ERR syntax error near 'NOPE'"),
        ("TASK.ADD q t p PRIORITY 5 priority 6", "ERR syntax error near 'priority'"),
        ("TASK.ADD q t p PRIORITY 11", "ERR value is not an integer or out of range: PRIORITY"),
        ("TASK.ADD q t p DELAY -1", "ERR value is not an integer or out of range: DELAY"),
        ("TASK.ADD q t p DELAY 1 AT 5", "ERR syntax error near 'AT'"),
        ("TASK.ADD q t p AT 9007199254740993", "ERR value is not an integer or out of range: AT"),
        ("TASK.ADD q t p LEASE 0", "ERR value is not an integer or out of range: LEASE"),
        ("TASK.ADD q t p TTL 99999999999999999999", "ERR value is not an integer or out of range: TTL"),
        ("TASK.ADD q t p BACKOFF LIST 5 1 2", "ERR syntax error near 'BACKOFF LIST'"),
        ("TASK.ADD q t p UNIQUE", "ERR syntax error near 'UNIQUE'"),
        ("TASK.ADD q t p UNIQUE k UNIQUE l", "ERR syntax error near 'UNIQUE'"),
        ("TASK.ADD q t p UNIQUE k FOR 0", "ERR value is not an integer or out of range: FOR"),
        ("TASK.ADD q t p UNIQUE k UNTIL THEN", "ERR syntax error near 'THEN'"),
        ("TASK.ADD q t p UNIQUE k ON SKIP ON ERROR", "ERR syntax error near 'ON'"),
        ("TASK.ADD q t p ON SKIP", "ERR syntax error near 'ON'"),
        ("TASK.ADD q t p FAIR on", "ERR syntax error near 'FAIR'"),
        ("TASK.ADD q t p TAGS 65 x", "ERR value is not an integer or out of range: TAGS"),
        ("TASK.ADD q t p TAGS 2 x", "ERR syntax error near 'TAGS'"),
        ("TASK.ADD q t p META 1 x", "ERR syntax error near 'META'"),
        ("TASK.MADD q UNIQUE k TASKS 1 t p", "ERR syntax error near 'UNIQUE'"),
        ("TASK.MOVE 0199d3a1-7c40-7000-8000-000000000000 REQ n", "ERR syntax error near 'TASK.MOVE'"),
        ("TASK.MOVE 0199d3a1-7c40-7000-8000-000000000000 PRIORITY 1", "NOTASK"),
        ("TASK.CANCEL nonsense", "NOTASK"),
        ("TASK.ADD q t", "ERR wrong number of arguments for 'task.add' command"),
        ("TASK.MADD q TASKS 2 t p t", "ERR syntax error near 'TASKS'"),
        ("TASK.MADD q TASKS 100001 t p", "ERR value is not an integer"),
        ("TASK.RESERVE 2 q", "ERR syntax error near 'numqueues'"),
        ("TASK.RESERVE 1 q MODE ANY", "ERR syntax error near 'ANY'"),
        ("TASK.RESERVE 1 q COUNT 0", "ERR value is not an integer or out of range: COUNT"),
        ("TASK.ACK nonsense 1", "NOTASK"),
        ("TASK.ACK 0199d3a1-7c40-7000-8000-000000000000 x", "ERR value is not an integer"),
        ("TASK.GET 0199d3a1-7c40-7000-8000-000000000000", "NOTASK"),
        ("TASK.PAUSE q", "ERR unknown command 'TASK.PAUSE', with args beginning with: 'q' "),
        ("QUEUE.INFO nobody", "NOQUEUE"),
        ("QUEUE.SET q RETRIES", "ERR wrong number of arguments"),
        ("QUEUE.SET q GROUPCONCURRENCY 0", "ERR value is not an integer or out of range: GROUPCONCURRENCY"),
        ("QUEUE.SET q TTL 0", "ERR value is not an integer or out of range: TTL"),
        ("QUEUE.SET q RETRIES 1 RETRIES 2", "ERR syntax error near 'RETRIES'"),
        ("QUEUE.SET q DELAY 5", "ERR syntax error near 'DELAY'"),
        ("QUEUE.SET q RETRYSHARE 101", "ERR value is not an integer or out of range: RETRYSHARE"),
        ("QUEUE.SET q REQ n", "ERR no option is given"),
        ("QUEUE.PAUSE q IN OUT", "ERR syntax error near 'OUT'"),
        ("QUEUE.PAUSE q FOR 0", "ERR value is not an integer or out of range: FOR"),
        ("QUEUE.PURGE q STATE", "ERR wrong number of arguments"),
        ("QUEUE.PURGE q STATE GONE", "ERR no such state 'GONE'"),
        ("QUEUE.DEL nobody", "NOQUEUE"),
        ("DLQ.REPLAY nobody", "NOQUEUE"),
        ("DLQ.REPLAY q RATE 0", "ERR value is not an integer or out of range: RATE"),
        ("DLQ.REPLAY q MAX 99999999999999999999", "ERR value is not an integer or out of range: MAX"),
        ("DLQ.LIST q BY TYPE", "ERR syntax error near 'TYPE'"),
        ("DLQ.LIST q CURSOR nonsense", "ERR invalid cursor"),
        ("DLQ.LIST q BY KIND CURSOR -1", "ERR invalid cursor"),
        ("TASK.RETRY nonsense", "NOTASK"),
        ("TASK.STOPOP op-1", "ERR no such operation 'op-1'"),
        ("TASK.STOPOP 1", "ERR no such operation '1'"),
    ])
    func `bad input is refused clearly and changes nothing`(line: String, error: String) async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            try client.send(line.split(separator: " ").map(String.init))
            let reply = try client.reply()
            #expect(reply.errorLine?.hasPrefix(error) == true, "\(line): \(reply)")
            #expect(try client.call("QUEUE.LIST") == .array([]))
            #expect(try client.call("PING") == .simple("PONG"))
        }
    }

    @Test func `names and payloads are taken up to their limits`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let longest = String(repeating: "q", count: 128)
            #expect(try client.call("TASK.ADD", longest, "t", "p").errorLine == nil)
            #expect(
                try client.call("TASK.ADD", longest + "q", "t", "p").errorLine?.hasPrefix("ERR queue of 129") == true)
            let big = String(repeating: "x", count: Limits.payload)
            #expect(try client.call("TASK.ADD", "q", "t", big).errorLine == nil)
            #expect(try client.call("TASK.ADD", "q", "t", big + "x").errorLine?.hasPrefix("TOOBIG") == true)
            let skipped = String(repeating: "x", count: Limits.payload + 128 * 1024)
            #expect(try client.call("TASK.ADD", "q", "t", skipped).errorLine?.hasPrefix("TOOBIG") == true)
            #expect(try client.call("TASKADD", "q", "t", "still here").errorLine == nil)
        }
    }
}

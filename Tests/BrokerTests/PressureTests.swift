import MartletBroker
import MartletProtocol
import Testing

@Suite(.timeLimit(.minutes(2)))
struct PressureTests {
    @Test func `a client that never reads is dropped, and others do not notice`() async throws {
        try await withBroker({ $0.stallMilliseconds = 300 }) { broker in
            let (deaf, other) = (try broker.connect(), try broker.connect())
            let id = try #require(try other.call("TASK.ADD", "q", "t", String(repeating: "x", count: 1 << 20)).text)
            try deaf.send(Array(repeatElement(RawClient.encode(["TASK.GET", id, "PAYLOAD"]), count: 2_000).joined()))
            var dropped = false
            while !dropped {
                dropped = try other.call("INFO", "stats").text?.contains("dropped_clients:1\r\n") == true
            }
            #expect(try other.call("PING") == .simple("PONG"))
        }
    }

    @Test func `many clients with one unread reply each are bounded in all`() async throws {
        try await withBroker({ ($0.outputBytes, $0.stallMilliseconds) = (4 << 20, 600_000) }) { broker in
            let other = try broker.connect()
            let id = try #require(
                try other.call("TASK.ADD", "q", "t", String(repeating: "x", count: Limits.payload)).text)
            let deaf = try (0..<40).map { _ in try broker.connect() }
            for client in deaf { try client.send(["TASK.GET", id, "PAYLOAD"]) }
            var (most, dropped) = (0, 0)
            for _ in 0..<20_000 where dropped < 10 {
                most = max(most, try number("client_output_bytes", other))
                dropped = try number("dropped_clients", other)
            }
            #expect(dropped >= 10)
            #expect(most <= 2 * (Limits.reservePayload + Limits.payload))
            #expect(try other.call("PING") == .simple("PONG"))
            // A client hangs up when nothing holds it any more.
            withExtendedLifetime(deaf) {}
        }
    }

    @Test func `a slow reader of a large hand-out is not dropped for others that read nothing`() async throws {
        try await withBroker({ $0.outputBytes = 4 << 20 }) { broker in
            let (client, other) = (try broker.connect(), try broker.connect())
            let payload = String(repeating: "x", count: Limits.payload)
            for _ in 0..<2 { try client.call("TASK.ADD", "q", "t", payload) }
            let id = try #require(try other.call("TASK.ADD", "other", "t", payload).text)
            let deaf = try (0..<2).map { _ in try broker.connect() }
            for client in deaf { try client.send(["TASK.GET", id, "PAYLOAD"]) }
            try client.send(["TASK.RESERVE", "1", "q", "COUNT", "2"])
            while try number("client_output_bytes", other) < Limits.reservePayload / 2 {}
            let tasks = try client.reply().elements
            #expect(tasks?.map { $0["payload"]?.bytes?.count } == [payload.count, payload.count])
            #expect(try number("dropped_clients", other) == 0)
            withExtendedLifetime(deaf) {}
        }
    }

    /// A number that INFO tells.
    private func number(_ field: String, _ client: RawClient) throws -> Int {
        let text = try #require(try client.call("INFO").text)
        let line = try #require(text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(field + ":") })
        return try #require(Int(line.dropFirst(field.count + 1)))
    }

    @Test func `a slow reader gets every byte`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let payload = String(repeating: "x", count: 1 << 20)
            let id = try #require(try client.call("TASK.ADD", "q", "t", payload).text)
            for _ in 0..<40 { try client.send(["TASK.GET", id, "PAYLOAD"]) }
            for _ in 0..<40 { #expect(try client.reply()["payload"]?.bytes?.count == 1 << 20) }
        }
    }

    @Test func `a full data file refuses adds, lets work finish, and takes adds again`() async throws {
        try await withBroker({ $0.maxBytes = 8 << 20 }) { broker in
            let client = try broker.connect()
            // Random, so that it does not shrink on the disk.
            let payload = String(decoding: (0..<64 * 1024).map { _ in UInt8.random(in: 33...126) }, as: UTF8.self)
            var refusal: String?
            for _ in 0..<1_000 where refusal == nil {
                refusal = try client.call("TASK.ADD", "q", "t", payload, "KEEP", "0").errorLine
            }
            #expect(refusal?.hasPrefix("DISKFULL ") == true)
            let waiting = try #require(try client.call("ZCARD", "@queue:q:pending").integer)
            var done: Int64 = 0
            while let task = try client.call("TASK.RESERVE", "1", "q").elements?.first {
                let reply = try client.call("TASK.ACK", task["id"]?.word ?? "", task["token"]?.word ?? "")
                try #require(reply == .simple("OK"))
                done += 1
            }
            #expect(done == waiting, "nothing that was accepted is lost, nothing refused is there")
            while let error = try client.call("TASK.ADD", "q", "t", payload).errorLine {
                #expect(error.hasPrefix("DISKFULL "))
            }
        }
    }

    @Test func `unfinished requests cost what was sent, not what they announce`() async throws {
        try await withBroker { broker in
            let hostile = try (0..<50).map { _ in try broker.connect() }
            for client in hostile { try client.send("*1048576\r\n$4\r\nPING\r\n$536870912\r\n") }
            let client = try broker.connect()
            #expect(try client.call("INFO", "clients").text?.contains("connected_clients:51\r\n") == true)
            let held = try #require(
                try client.call("INFO", "clients").text?.split(separator: "client_input_bytes:").last?
                    .prefix { $0.isNumber })
            #expect(try #require(Int(held)) < 10_000)
            // A client hangs up when nothing holds it any more.
            withExtendedLifetime(hostile) {}
        }
    }

    @Test func `a hand-out whose reply could not be written is undone`() async throws {
        try await withBroker { broker in
            let (worker, other) = (try broker.connect(), try broker.connect())
            let payload = String(repeating: "x", count: Limits.payload)
            let id = try #require(try other.call("TASK.ADD", "q", "t", payload).text)
            let owed = try #require(try other.call("TASK.GET", id)["run_at"]?.integer)
            try worker.send(["TASK.RESERVE", "1", "q"])
            while try other.call("TASK.GET", id)["state"]?.text != "ACTIVE" {}
            worker.hangUp()
            while try other.call("TASK.GET", id)["state"]?.text == "ACTIVE" {}
            let view = try other.call("TASK.GET", id)
            #expect(view["state"]?.text == "PENDING" && view["attempt"]?.integer == 0)
            #expect(view["run_at"]?.integer == owed)
        }
    }

    @Test func `a pipeline of slow looks does not hold up others`() async throws {
        try await withBroker { broker in
            let (greedy, other) = (try broker.connect(), try broker.connect())
            let tasks = ["TASK.MADD", "q", "TASKS", "5000"] + Array(repeating: "x", count: 10_000)
            for _ in 0..<2 { try other.send(tasks) }
            for _ in 0..<2 { #expect(try other.reply().elements?.count == 5_000) }
            let scan = RawClient.encode(["SCAN", "0", "MATCH", "@*nothing", "COUNT", "10000"])
            try greedy.send(Array(repeatElement(scan, count: 200).joined()))
            let clock = ContinuousClock()
            var worst = Duration.zero
            for _ in 0..<50 {
                let start = clock.now
                #expect(try other.call("PING") == .simple("PONG"))
                worst = max(worst, clock.now - start)
            }
            for _ in 0..<200 { #expect(try greedy.reply().elements?.count == 2) }
            let whole = clock.now
            try greedy.send(Array(repeatElement(scan, count: 200).joined()))
            for _ in 0..<200 { _ = try greedy.reply() }
            #expect(worst < (clock.now - whole) / 4, "others wait for a part of the pipeline, not for all of it")
        }
    }
}

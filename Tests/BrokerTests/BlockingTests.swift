import MartletBroker
import MartletProtocol
import Testing

@Suite(.timeLimit(.minutes(1)))
struct BlockingTests {
    @Test func `blocked callers are woken in the order in which they came`() async throws {
        try await withBroker { broker in
            let waiting = try (0..<5).map { _ in try broker.connect() }
            let producer = try broker.connect()
            for (index, client) in waiting.enumerated() {
                try client.send(["TASK.RESERVE", "1", "q", "BLOCK", "0"])
                try producer.waitForBlocked(index + 1)
            }
            for number in 0..<5 { try producer.call("TASK.ADD", "q", "t", "\(number)") }
            for (number, client) in waiting.enumerated() {
                #expect(try client.reply().elements?.first?["payload"]?.text == "\(number)")
            }
        }
    }

    @Test func `a blocked call ends empty after BLOCK, and early for a task that becomes due`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let clock = ContinuousClock()
            let start = clock.now
            #expect(try client.call("TASK.RESERVE", "1", "q", "BLOCK", "120").isNull)
            #expect(clock.now - start >= .milliseconds(119))
            try client.call("TASK.ADD", "q", "t", "later", "DELAY", "80")
            #expect(try client.call("TASK.RESERVE", "1", "q").isNull)
            #expect(try client.call("TASK.RESERVE", "1", "q", "BLOCK", "10000").elements?.count == 1)
        }
    }

    @Test func `an expired lease wakes a blocked caller`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            try client.call("TASK.ADD", "q", "t", "p", "LEASE", "100")
            let first = try client.call("TASK.RESERVE", "1", "q").elements?.first
            let second = try client.call("TASK.RESERVE", "1", "q", "BLOCK", "10000").elements?.first
            #expect(second?["id"] == first?["id"] && second?["attempt"]?.integer == 2)
        }
    }

    @Test func `commands behind a blocked one wait for it`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let pipeline = [
                ["PING"], ["TASK.RESERVE", "1", "q", "BLOCK", "0"], ["ECHO", "after"], ["TASK.RESULT", "x"],
            ]
            try client.send(pipeline.flatMap { RawClient.encode($0) })
            #expect(try client.reply() == .simple("PONG"))
            let other = try broker.connect()
            try other.waitForBlocked(1)
            try other.call("TASK.ADD", "q", "t", "p")
            #expect(try client.reply().elements?.count == 1)
            #expect(try client.reply().text == "after")
            #expect(try client.reply().errorLine?.hasPrefix("NOTASK") == true)
        }
    }

    @Test func `a caller that hung up gets nothing: the task goes to the next`() async throws {
        try await withBroker { broker in
            let (gone, next, producer) = (try broker.connect(), try broker.connect(), try broker.connect())
            try gone.send(["TASK.RESERVE", "1", "q", "BLOCK", "0"])
            try producer.waitForBlocked(1)
            try next.send(["TASK.RESERVE", "1", "q", "BLOCK", "0"])
            try producer.waitForBlocked(2)
            gone.hangUp()
            try producer.waitForBlocked(1)
            try producer.call("TASK.ADD", "q", "t", "p")
            let task = try next.reply().elements?.first
            #expect(task?["attempt"]?.integer == 1)
        }
    }

    @Test func `keepalives go to those who ask or are known to need them, in RESP3 only`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            try client.call("HELLO", "3")
            try client.send(["TASK.RESERVE", "1", "q", "BLOCK", "450", "KEEPALIVE", "100"])
            var pushes: [Int64?] = []
            var reply = try client.reply()
            while case .push(let elements) = reply {
                #expect(elements.first?.text == "keepalive")
                pushes.append(elements.last?.integer)
                reply = try client.reply()
            }
            #expect(reply.isNull && pushes == [1, 2, 3, 4])
            let old = try broker.connect()
            #expect(try old.call("TASK.RESERVE", "1", "q", "BLOCK", "250", "KEEPALIVE", "100").isNull)
        }
    }

    @Test func `blocked callers are told when the broker stops`() async throws {
        let broker = try await RunningBroker.start()
        let (client, other) = (try broker.connect(), try broker.connect())
        try client.send(["TASK.RESERVE", "1", "q", "BLOCK", "0"])
        try other.waitForBlocked(1)
        broker.server.stop()
        #expect(try client.rest().hasPrefix("-STOPPING "))
        try await broker.remove()
    }
}

extension RawClient {
    /// Asks until so many callers are blocked.
    func waitForBlocked(_ count: Int) throws {
        while true {
            let information = try call("INFO", "clients").text ?? ""
            if information.contains("blocked_clients:\(count)\r\n") { return }
        }
    }
}

import MartletEngine
import MartletProtocol
import Testing

@Suite("The life of a task")
struct LifecycleTests {
    @Test("large payloads and results come back whole, and go with their task")
    func bodies() throws {
        let fixture = try StoreFixture()
        let payload = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 / 100) }
        let result = (0..<9_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let id = try fixture.add(payload: payload) { $0.keep = 1_000 }
        let task = try #require(try fixture.reserve().first)
        #expect(task.payload == payload)
        try fixture.run(.acknowledge(AcknowledgeRequest(id: id, token: task.token, result: result)))
        guard case .bytes(let stored) = try fixture.run(.result(id))[0] else { throw StoreFixture.Unexpected() }
        #expect(stored == result)
        #expect(try fixture.view(id)?.resultSize == 9_000)
        try fixture.advance(to: fixture.now + 1_000)
        #expect(try fixture.view(id) == nil)
        #expect(try fixture.findings() == [])
    }

    @Test("KEEP 0 leaves nothing behind, not even after failures")
    func keepNothing() throws {
        let fixture = try StoreFixture()
        let id = try fixture.add {
            $0.keep = 0
            $0.backoff = .fixed(0)
            $0.timeToLive = 60_000
        }
        let first = try #require(try fixture.reserve().first)
        try fixture.run(.fail(FailRequest(id: id, token: first.token, message: [1])))
        let second = try #require(try fixture.reserve().first)
        try fixture.run(.acknowledge(AcknowledgeRequest(id: id, token: second.token, result: [1])))
        #expect(try fixture.view(id) == nil)
        #expect(try fixture.findings() == [])
        guard case .queue(let view) = try fixture.run(.queueInfo(Bytes("q".utf8)))[0] else {
            throw StoreFixture.Unexpected()
        }
        #expect(view.completed == 0 && view.totalCompleted == 1 && view.totalFailed == 1 && view.pending == 0)
    }

    @Test("history is bounded to the first and the newest hundred")
    func history() throws {
        let fixture = try StoreFixture()
        let id = try fixture.add {
            $0.retries = 1_000
            $0.backoff = .fixed(0)
        }
        for number in 1...250 as ClosedRange<Int64> {
            let task = try #require(try fixture.reserve().first)
            #expect(task.attempt == number)
            fixture.now += 1
            try fixture.run(.fail(FailRequest(id: id, token: task.token, message: Bytes("\(number)".utf8))))
        }
        let history = try #require(try fixture.view(id, history: true)?.history)
        #expect(history.count == 200)
        #expect(history[0].reason == "add")
        #expect(history[2].message == Bytes("1".utf8))
        #expect(history[199].message == Bytes("250".utf8))
        #expect(zip(history, history.dropFirst()).allSatisfy { $0.at <= $1.at })
        #expect(try fixture.findings() == [])
    }

    @Test("the life cycle is this, and nothing else happens")
    func table() {
        var moves: [String] = []
        for state in TaskState.allCases {
            for event in TaskEvent.allCases {
                if let next = state.after(event) { moves.append("\(state.name) --\(event)--> \(next.name)") }
            }
        }
        #expect(
            moves == [
                "SCHEDULED --due--> PENDING", "SCHEDULED --handOut--> ACTIVE", "SCHEDULED --expire--> EXPIRED",
                "SCHEDULED --cancel--> CANCELLED", "SCHEDULED --revive--> PENDING", "SCHEDULED --moveNow--> PENDING",
                "SCHEDULED --moveLater--> SCHEDULED", "SCHEDULED --block--> BLOCKED", "PENDING --handOut--> ACTIVE",
                "PENDING --expire--> EXPIRED",
                "PENDING --cancel--> CANCELLED", "PENDING --moveNow--> PENDING", "PENDING --moveLater--> SCHEDULED",
                "PENDING --block--> BLOCKED",
                "ACTIVE --acknowledge--> COMPLETED",
                "ACTIVE --retryLater--> SCHEDULED", "ACTIVE --retryNow--> PENDING", "ACTIVE --exhaust--> DLQ",
                "ACTIVE --release--> PENDING", "ACTIVE --releaseLater--> SCHEDULED", "ACTIVE --expire--> EXPIRED",
                "ACTIVE --cancel--> CANCELLED", "COMPLETED --revive--> PENDING", "DLQ --revive--> PENDING",
                "CANCELLED --revive--> PENDING", "EXPIRED --revive--> PENDING", "BLOCKED --expire--> EXPIRED",
                "BLOCKED --cancel--> CANCELLED", "BLOCKED --moveNow--> BLOCKED", "BLOCKED --moveLater--> BLOCKED",
                "BLOCKED --unblock--> PENDING", "BLOCKED --unblockLater--> SCHEDULED",
            ])
    }

    @Test("the end of another one, found first, does not come before what was due earlier")
    func inTheirOrder() throws {
        let fixture = try StoreFixture()
        let start = fixture.now
        let first = try fixture.add { $0.timeToLive = 200 }
        var request = AddRequest(queue: Bytes("q".utf8), type: Bytes("t".utf8), payload: [])
        request.after = Dependencies([first], onDead: .cancel)
        request.options.timeToLive = 100
        guard case .id(let id) = try fixture.run(.add(request))[0] else { throw StoreFixture.Unexpected() }
        fixture.now += 1_000
        #expect(try fixture.view(first)?.state == .expired)
        let view = try #require(try fixture.view(id))
        #expect(view.state == .expired)
        #expect(view.endedAt == start + 100)
        #expect(try fixture.findings() == [])
    }

    @Test("back-off never overflows and never passes its cap")
    func backoff() {
        let exponential = Backoff.exponential(base: 1_000, cap: 300_000)
        #expect((1...4).map { exponential.delay(beforeRetry: $0) } == [1_000, 2_000, 4_000, 8_000])
        for n in [10, 62, 63, 64, 1_000_000, Int64.max] {
            #expect(exponential.delay(beforeRetry: n) == 300_000)
            #expect(Backoff.exponential(base: .max, cap: .max).delay(beforeRetry: n) == .max)
            #expect(Backoff.linear(step: 1 << 53, cap: 1 << 53).delay(beforeRetry: n) == 1 << 53)
            #expect(Backoff.list([5, 6]).delay(beforeRetry: n) == 6)
            #expect(Backoff.exponential(base: 0, cap: 9).delay(beforeRetry: n) == 0)
        }
        #expect(Backoff.linear(step: 10, cap: 25).delay(beforeRetry: 2) == 20)
        #expect(Backoff.fixed(3).delay(beforeRetry: 9) == 3)
    }

    @Test("a task that waits for those that ended long ago is not freed before it was added")
    func freedInTime() throws {
        let fixture = try StoreFixture()
        // More than are looked after when another one joins them.
        for _ in 0..<150 { _ = try fixture.add { ($0.order, $0.timeToLive) = ([1], 1_000) } }
        fixture.now += 5_000
        let id = try fixture.add { $0.order = [1] }
        #expect(try fixture.view(id)?.state == .blocked)
        try fixture.advance(to: fixture.now)
        let view = try #require(try fixture.view(id, history: true))
        #expect(view.state == .pending)
        #expect(view.history?.map(\.at) == [fixture.now, fixture.now])
        #expect(try fixture.findings() == [])
    }
}

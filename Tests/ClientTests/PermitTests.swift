import MartletClient
import Synchronization
import Testing

/// Limits and their permits, against the real broker.
@Suite(.timeLimit(.minutes(1)))
struct PermitTests {
    struct Failed: Error {}

    @Test func aLimitIsSetReadResetAndDeleted() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("api", .rate(2, per: .seconds(600), burst: 2))
        #expect(try await client.take("api").isGranted)
        let last = try await client.take("api")
        #expect(last.isGranted && last.remaining == 0 && last.limit == 2 && last.retryAfter == nil)
        let refused = try await client.take("api")
        #expect(!refused.isGranted)
        #expect(try #require(refused.retryAfter) > .seconds(200))
        let details = try await client.limit("api")
        #expect(details.rule == .rate(2, per: .seconds(600), burst: 2))
        #expect(details.granted == 2 && details.refused == 1 && details.available == 0)
        try await client.resetLimit("api")
        #expect(try await client.limit("api").available == 2)
        await #expect {
            try await client.take("api", cost: 3)
        } throws: {
            ($0 as? MartletError)?.code == .error
        }
        try await client.setLimit("few", .slots(3))
        #expect(try await client.limits().map(\.rule) == [.rate(2, per: .seconds(600), burst: 2), .slots(3)])
        try await client.deleteLimit("few")
        #expect(try await client.limits().map(\.name) == ["api"])
        await client.close()
    }

    @Test func whoWaitsIsServedAsTokensCome() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("api", .rate(10, per: .milliseconds(500), burst: 1))
        let started = ContinuousClock.now
        for _ in 0..<6 { #expect(try await client.take("api", wait: .seconds(30)).isGranted) }
        #expect(ContinuousClock.now - started >= .milliseconds(250))
        try await client.setLimit("api", .rate(1, per: .seconds(600)))
        _ = try await client.take("api")
        #expect(try await !client.take("api", wait: .milliseconds(50)).isGranted)
        await client.close()
    }

    @Test func neverMoreAtATimeThanThereAreSlots() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("crawler", .slots(3))
        let crowd = Crowd()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<30 {
                group.addTask {
                    try await client.withPermit("crawler") {
                        crowd.enter()
                        // Others come as far as they can meanwhile.
                        try await client.connect()
                        crowd.leave()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect((2...3).contains(crowd.most))
        let limit = try await client.limit("crawler")
        #expect(limit.available == 3 && limit.granted == 30)
        await client.close()
    }

    @Test func aPermitIsGivenBackWhenTheWorkThrowsOrIsCancelled() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("one", .slots(1))
        await #expect(throws: Failed.self) { try await client.withPermit("one") { throw Failed() } }
        #expect(try await client.limit("one").available == 1)
        let (begun, never) = (Gate(), Gate())
        let work = Task {
            try await client.withPermit("one") {
                begun.open()
                await withTaskCancellationHandler {
                    await never.wait()
                } onCancel: {
                    never.open()
                }
                try Task.checkCancellation()
            }
        }
        await begun.wait()
        await #expect {
            try await client.withPermit("one", wait: .milliseconds(50)) {}
        } throws: {
            if case .limited("one", _)? = $0 as? MartletError { true } else { false }
        }
        work.cancel()
        await #expect(throws: CancellationError.self) { try await work.value }
        #expect(try await client.limit("one").available == 1)
        await client.close()
    }

    @Test func workPastItsTimeIsCancelledAndItsSlotIsFree() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("one", .slots(1))
        let never = Gate()
        await #expect {
            try await client.withPermit("one", hold: .milliseconds(50)) {
                await withTaskCancellationHandler {
                    await never.wait()
                } onCancel: {
                    never.open()
                }
                try Task.checkCancellation()
            }
        } throws: {
            if case .permitExpired("one")? = $0 as? MartletError { true } else { false }
        }
        let late = Gate()
        let value = try await client.withPermit("one", hold: .milliseconds(50)) {
            await withTaskCancellationHandler {
                await late.wait()
            } onCancel: {
                late.open()
            }
            return 7
        }
        #expect(value == 7)
        #expect(try await client.limit("one").available == 1)
        await client.close()
    }

    @Test func whoIsCancelledWhileWaitingTakesNothing() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("one", .slots(1))
        try await client.withPermit("one") {
            let waiting = Task { try await client.withPermit("one") { Issue.record("ran") } }
            while try await client.limit("one").waiting == 0 {}
            waiting.cancel()
            await #expect {
                try await waiting.value
            } throws: {
                if case .cancelled? = $0 as? MartletError { true } else { false }
            }
            while try await client.limit("one").waiting > 0 {}
        }
        let limit = try await client.limit("one")
        #expect(limit.available == 1 && limit.granted == 1)
        await client.close()
    }

    @Test func waitsOutliveTheBrokersCrash() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("one", .slots(1))
        let (held, go) = (Gate(), Gate())
        let holding = Task {
            try await client.withPermit("one") {
                held.open()
                await go.wait()
            }
        }
        await held.wait()
        let waiting = Task { try await client.withPermit("one") { 5 } }
        while try await client.limit("one").waiting == 0 {}
        try broker.crashAndRestart()
        #expect(try await client.limit("one").available == 0)
        go.open()
        try await holding.value
        #expect(try await waiting.value == 5)
        await client.close()
    }

    @Test(arguments: [
        #"{"requests": 230, "interval": "10s"}"#, #"{"rate_limit": {"requests": 230, "interval": "10000ms"}}"#,
        #"{"data": {"label": "x", "usage": [1, null], "rate_limit": {"interval": "10", "requests": 230, "note": 1}}}"#,
    ])
    func aProvidersAnswerFeedsALimit(answer: String) async throws {
        let rate = try ProviderRate(json: Bytes(answer.utf8))
        #expect(rate == ProviderRate(requests: 230, interval: .seconds(10)))
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setLimit("provider", rate.rule)
        _ = try await client.take("provider", cost: 200)
        try await client.setLimit("provider", rate.rule)
        let details = try await client.limit("provider")
        #expect(details.rule == .rate(230, per: .seconds(10), burst: 230) && details.available < 230)
        await client.close()
    }

    @Test(arguments: [
        "", "{}", "7", #"{"requests": -1, "interval": "10s"}"#, #"{"requests": 1, "interval": "soon"}"#,
        #"{"requests": 1, "interval": "0s"}"#, #"{"requests": 1, "interval": "9223372036854775807d"}"#,
    ])
    func anAnswerWithoutARateIsRefused(answer: String) throws {
        #expect {
            try ProviderRate(json: Bytes(answer.utf8))
        } throws: {
            if case .decoding? = $0 as? MartletError { true } else { false }
        }
    }
}

/// How many are at it at a time.
private final class Crowd: Sendable {
    private let counts = Mutex((now: 0, most: 0))

    var most: Int { counts.withLock { $0.most } }
    func leave() { counts.withLock { $0.now -= 1 } }

    func enter() {
        counts.withLock { counts in
            counts.now += 1
            counts.most = max(counts.most, counts.now)
        }
    }
}

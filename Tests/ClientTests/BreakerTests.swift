import MartletClient
import Testing

/// Breakers, against the real broker.
@Suite(.timeLimit(.minutes(1)))
struct BreakerTests {
    struct Down: Error {}
    struct NotFound: Error {}

    private static func isOpen(_ error: any Error) -> Bool {
        if case .breakerOpen("mailer")? = error as? MartletError { true } else { false }
    }

    @Test func aBreakerIsSetTrippedResetAndDeleted() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let rule = BreakerRule(
            failures: 5, per: .seconds(60), coolDown: .seconds(600), probes: 2, kinds: ["timeout", "http_503"])
        try await client.setBreaker("mailer", rule)
        try await client.tripBreaker("mailer")
        let open = try await client.breaker("mailer")
        #expect(open.state == .open && open.rule == rule && open.failures == 0)
        #expect(try #require(open.retryAt) - (try #require(open.openedAt)) == 600_000)
        await #expect {
            try await client.withBreaker("mailer") { Issue.record("tried") }
        } throws: {
            Self.isOpen($0)
        }
        try await client.resetBreaker("mailer")
        let closed = try await client.breakers()
        #expect(closed.map(\.state) == [.closed] && closed.first?.retryAt == nil)
        #expect(try await client.withBreaker("mailer") { 7 } == 7)
        try await client.deleteBreaker("mailer")
        #expect(try await client.breakers().isEmpty)
        await client.close()
    }

    @Test func failuresThatCountOpenIt() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setBreaker("mailer", BreakerRule(failures: 2, per: .seconds(60), coolDown: .seconds(600)))
        for _ in 0..<3 {
            await #expect(throws: NotFound.self) {
                try await client.withBreaker("mailer", counts: { $0 is Down }) { throw NotFound() }
            }
            await #expect(throws: CancellationError.self) {
                try await client.withBreaker("mailer") { throw CancellationError() }
            }
        }
        #expect(try await client.breaker("mailer").failures == 0)
        for _ in 0..<2 {
            await #expect(throws: Down.self) {
                try await client.withBreaker("mailer", counts: { $0 is Down }) { throw Down() }
            }
        }
        #expect(try await client.breaker("mailer").state == .open)
        await #expect {
            try await client.withBreaker("mailer") { Issue.record("tried") }
        } throws: {
            Self.isOpen($0)
        }
        await client.close()
    }

    @Test func aProbeThatSucceedsClosesItAndOneThatFailsOpensIt() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        try await client.setBreaker("mailer", BreakerRule(failures: 1, per: .seconds(60), coolDown: .milliseconds(500)))
        for succeeds in [false, true] {
            if try await client.breaker("mailer").state == .closed { try await client.tripBreaker("mailer") }
            while try await client.breaker("mailer").state != .halfOpen {}
            // While the probe is out nobody else tries.
            let probe: () async throws -> Void = {
                await #expect {
                    try await client.withBreaker("mailer") { Issue.record("tried") }
                } throws: {
                    Self.isOpen($0)
                }
                if !succeeds { throw Down() }
            }
            do { try await client.withBreaker("mailer", probe) } catch { #expect(error is Down && !succeeds) }
            let state = try await client.breaker("mailer").state
            #expect(succeeds ? state == .closed : state != .closed)
        }
        await client.close()
    }
}

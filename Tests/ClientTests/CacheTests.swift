import MartletClient
import Testing

/// Get or compute, against the real broker.
@Suite(.timeLimit(.minutes(1)))
struct CacheTests {
    struct Quota: Codable, Sendable, Equatable { var left: Int }
    struct Down: Error {}

    @Test func aValueIsComputedOnceHoweverManyAsk() async throws {
        let broker = try BrokerProcess()
        let clients = (0..<4).map { _ in MartletClient(broker.configuration) }
        let computed = Seen<Int>()
        try await withThrowingTaskGroup(of: Quota.self) { group in
            for number in 0..<200 {
                group.addTask {
                    try await clients[number % 4].cached("quota", for: .seconds(600)) {
                        computed.add(number)
                        for _ in 0..<1_000 { await Task.yield() }
                        return Quota(left: 7)
                    }
                }
            }
            for try await quota in group { #expect(quota == Quota(left: 7)) }
        }
        #expect(computed.all.count == 1)
        try await clients[0].forget("quota")
        #expect(try await clients[1].cached("quota", for: .milliseconds(1)) { Quota(left: 8) } == Quota(left: 8))
        for client in clients { await client.close() }
    }

    @Test func itHoldsAsLongAsItShall() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        #expect(try await client.cached("key", for: .milliseconds(300)) { 1 } == 1)
        var value = 1
        var asked = 0
        let start = ContinuousClock.now
        while value == 1 {
            value = try await client.cached("key", for: .seconds(600)) { 2 }
            asked += 1
        }
        #expect(asked > 1 && ContinuousClock.now - start < .seconds(30))
        try broker.crashAndRestart()
        #expect(try await client.cached("key", for: .seconds(600)) { 3 } == 2, "it outlives the broker's process")
        // Something else under that name is computed anew.
        #expect(try await client.cached("key", for: .seconds(600)) { "text" } == "text")
        await client.close()
    }

    @Test func whoeverFailsOrDiesDoesNotHoldUpTheOthers() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        await #expect(throws: Down.self) {
            try await client.cached("key", for: .seconds(600)) { () throws -> Int in throw Down() }
        }
        #expect(try await client.cached("key", for: .seconds(600)) { 1 } == 1)
        // One that never comes back, as if its process had died.
        let begun = Gate()
        let dying = MartletClient(broker.configuration)
        let dead = Task {
            try await dying.cached("other", for: .seconds(600), within: .milliseconds(400)) { () async throws -> Int in
                begun.open()
                while !Task.isCancelled { await Task.yield() }
                throw CancellationError()
            }
        }
        await begun.wait()
        await dying.close()
        #expect(try await client.cached("other", for: .seconds(600)) { 2 } == 2)
        dead.cancel()
        _ = await dead.result
        await client.close()
    }

    /// Starts a computation, lets `meanwhile` happen before it ends, and tells what it gave.
    private func slow(
        _ client: MartletClient, within limit: Duration, _ meanwhile: () async throws -> Void
    ) async throws -> Int {
        let (begun, released) = (Gate(), Gate())
        async let value = client.cached("key", for: .seconds(600), within: limit) {
            begun.open()
            await released.wait()
            return 1
        }
        await begun.wait()
        try await meanwhile()
        released.open()
        return try await value
    }

    @Test func whoIsTooSlowDoesNotOverwriteWhatAnotherFoundOut() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let late = try await slow(client, within: .milliseconds(200)) {
            let quick = try await client.cached("key", for: .seconds(600)) { 2 }
            #expect(quick == 2)
        }
        #expect(late == 1)
        #expect(try await client.cached("key", for: .seconds(600)) { 3 } == 2)
        await client.close()
    }

    @Test func whatWasForgottenMeanwhileIsNotKept() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let old = try await slow(client, within: .seconds(600)) { try await client.forget("key") }
        #expect(old == 1)
        #expect(try await client.cached("key", for: .seconds(600)) { 2 } == 2)
        await client.close()
    }

    @Test func whoWaitsForAnothersValueCanBeCancelled() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let value = try await slow(client, within: .seconds(600)) {
            let waiting = Task { try await client.cached("key", for: .seconds(600)) { 2 } }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        #expect(value == 1)
        await client.close()
    }

    @Test func aValueThatTheBrokerDoesNotKeepIsGivenNevertheless() async throws {
        let broker = try BrokerProcess()
        let client = MartletClient(broker.configuration)
        let long = String(repeating: "x", count: 9 << 20)
        #expect(try await client.cached("key", for: .seconds(600)) { long } == long)
        #expect(try await client.cached("key", for: .seconds(600)) { "short" } == "short")
        await #expect(throws: MartletError.self) { try await client.cached("@key", for: .seconds(600)) { 1 } }
        await client.close()
        await #expect(throws: MartletError.self) { try await client.cached("key", for: .seconds(600)) { 1 } }
    }
}

import MartletClient
import Synchronization
import Testing

/// Get or compute, against the real broker.
@Suite(.timeLimit(.minutes(1)))
struct CacheTests {
    struct Quota: Codable, Sendable, Equatable { var left: Int }
    struct Down: Error {}

    @Test func aValueIsComputedOnceHoweverManyAsk() async throws {
        let broker = try BrokerProcess()
        let clients = (0..<4).map { _ in MartletClient(broker.configuration) }
        let computed = Mutex(0)
        try await withThrowingTaskGroup(of: Quota.self) { group in
            for number in 0..<200 {
                group.addTask {
                    try await clients[number % 4].cached("quota", for: .seconds(600)) {
                        computed.withLock { $0 += 1 }
                        for _ in 0..<1_000 { await Task.yield() }
                        return Quota(left: 7)
                    }
                }
            }
            for try await quota in group { #expect(quota == Quota(left: 7)) }
        }
        #expect(computed.withLock { $0 } == 1)
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
}

import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

@Suite("The records of ended tasks go when their time has come")
struct RetentionTests {
    private static let day: Milliseconds = 86_400_000

    @Test("whether a task stands in its queue's line or has a timer of its own, after a restart, too")
    func exact() throws {
        let fixture = try StoreFixture()
        var ends: [(id: TaskID, at: Timestamp)] = []
        for keep in [nil, 1_000, nil, Self.day + 5, nil, 2 * Self.day] as [Milliseconds?] {
            fixture.now += 10
            let id = try complete(fixture) { $0.keep = keep }
            ends.append((id, fixture.now + (keep ?? Self.day)))
        }
        #expect(try fixture.findings() == [])
        try fixture.restart()
        for (id, at) in ends.sorted(by: { $0.at < $1.at }) {
            try fixture.advance(to: at - 1)
            #expect(try fixture.view(id)?.keepUntil == at)
            try fixture.advance(to: at)
            #expect(try fixture.view(id) == nil)
            #expect(try fixture.findings() == [])
        }
        #expect(try instant(fixture) == nil)
    }

    @Test("a line takes one timer, however many stand in it")
    func oneTimer() throws {
        let fixture = try StoreFixture()
        for _ in 0..<50 { _ = try complete(fixture) { _ in } }
        var timers = 0
        try fixture.store.read { (_, transaction) throws(StorageError) in
            try transaction.scan(PlantedStore.table("timers"), from: KeyBytes(), prefix: KeyBytes()) { _, _ in
                timers += 1
                return true
            }
        }
        #expect(timers == 1)
    }

    @Test("more tasks with timers of their own than are passed over at a time do not hide the next of the line")
    func passing() throws {
        let fixture = try StoreFixture()
        let first = try complete(fixture) { _ in }
        for _ in 0..<2_500 { _ = try fixture.add { $0.keep = 9 * Self.day } }
        for task in try fixture.reserve(count: 2_500) {
            try fixture.run(.acknowledge(AcknowledgeRequest(id: task.id, token: task.token)))
        }
        let last = try complete(fixture) { _ in }
        try fixture.advance(to: fixture.now + Self.day)
        #expect(try fixture.view(first) == nil && fixture.view(last) == nil)
        #expect(try fixture.findings() == [])
        try fixture.advance(to: fixture.now + 8 * Self.day)
        #expect(try instant(fixture) == nil)
    }

    @Test("a queue that keeps its tasks otherwise from now on keeps the old ones as it said, and opens a new line")
    func otherDefault() throws {
        let fixture = try StoreFixture()
        let old = try complete(fixture) { _ in }
        try keep(for: 5_000, fixture)
        let apart = try complete(fixture) { _ in }
        try fixture.advance(to: fixture.now + 5_000)
        #expect(try fixture.view(apart) == nil)
        try fixture.advance(to: fixture.now + Self.day)
        #expect(try fixture.view(old) == nil)
        let ids = try (0..<3).map { _ in try complete(fixture) { _ in } }
        let before = fixture.now
        #expect(try instant(fixture) == before + 5_000)
        try fixture.advance(to: before + 5_000)
        for id in ids { #expect(try fixture.view(id) == nil) }
        #expect(try fixture.findings() == [])
    }

    @Test("a task that is retried leaves its line, and one that ends again joins it again")
    func retried() throws {
        let fixture = try StoreFixture()
        let id = try complete(fixture) { _ in }
        fixture.now += 1_000
        try fixture.run(.retry(RetryRequest(id: id, reset: true)))
        let task = try #require(try fixture.reserve().first)
        fixture.now += 1_000
        try fixture.run(.acknowledge(AcknowledgeRequest(id: id, token: task.token)))
        try fixture.advance(to: fixture.now + Self.day - 1)
        #expect(try fixture.view(id) != nil)
        try fixture.advance(to: fixture.now + 1)
        #expect(try fixture.view(id) == nil)
        #expect(try fixture.findings() == [])
    }

    @Test("a queue's number that is used again starts without the lines of the queue that was deleted")
    func deletedQueue() throws {
        let fixture = try StoreFixture()
        _ = try complete(fixture) { _ in }
        try fixture.run(.queueDelete(QueueRequest(queue: Bytes("q".utf8))))
        let now = fixture.now
        for _ in 0..<20 {
            try fixture.store.write(now: now) { (engine, transaction) throws(StorageError) in
                _ = try engine.runOperation(now: now, in: transaction)
            }
        }
        #expect(try fixture.findings() == [])
        #expect(try instant(fixture) == nil)
        let id = try complete(fixture) { _ in }
        try fixture.advance(to: fixture.now + Self.day)
        #expect(try fixture.view(id) == nil)
    }

    private func complete(_ fixture: StoreFixture, _ change: (inout TaskOptions) -> Void) throws -> TaskID {
        let id = try fixture.add("q", payload: [1], change)
        let task = try #require(try fixture.reserve().first)
        try fixture.run(.acknowledge(AcknowledgeRequest(id: task.id, token: task.token)))
        #expect(task.id == id)
        return id
    }

    private func keep(for span: Milliseconds, _ fixture: StoreFixture) throws {
        var options = QueueOptions()
        options.task.keep = span
        try fixture.run(.queueSet(QueueSetRequest(queue: Bytes("q".utf8), given: [.keep], options: options)))
    }

    /// When something happens next by itself.
    private func instant(_ fixture: StoreFixture) throws -> Timestamp? {
        try fixture.store.read { (engine, transaction) throws(StorageError) in
            try engine.nextInstant(in: transaction)
        }
    }
}

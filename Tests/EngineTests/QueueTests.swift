import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

@Suite("Queues and operations on many tasks")
struct QueueTests {
    private let queue = Bytes("q".utf8)

    /// Adds tasks and lets them die, at the clock's time.
    private func kill(_ count: Int, _ fixture: StoreFixture) throws {
        for _ in 0..<count { _ = try fixture.add { $0.retries = 0 } }
        for task in try fixture.reserve(count: count) {
            try fixture.run(.fail(FailRequest(id: task.id, token: task.token, message: [1], kind: [75])))
        }
    }

    private func operations(_ fixture: StoreFixture) throws -> [OperationView] {
        guard case .operations(let views) = try fixture.run(.operations)[0] else { throw StoreFixture.Unexpected() }
        return views
    }

    /// One slice, in a group of its own.
    private func slice(_ fixture: StoreFixture) throws {
        let now = fixture.now
        try fixture.store.write(now: now) { (engine, transaction) throws(StorageError) in
            _ = try engine.runOperation(now: now, in: transaction)
        }
    }

    @Test("a lowered KEEPMAX removes what is too much, in slices")
    func loweredKeepMax() throws {
        let fixture = try StoreFixture()
        for _ in 0..<1_200 { _ = try fixture.add() }
        for task in try fixture.reserve(count: 1_200) {
            try fixture.run(.acknowledge(AcknowledgeRequest(id: task.id, token: task.token)))
        }
        var options = QueueOptions()
        options.keepMax = 10
        try fixture.run(.queueSet(QueueSetRequest(queue: queue, given: [.keepMax], options: options)))
        guard case .queue(let first) = try fixture.run(.queueInfo(queue))[0] else { throw StoreFixture.Unexpected() }
        #expect(first.completed == 200 && first.lagging)
        try fixture.advance(to: fixture.now)
        guard case .queue(let view) = try fixture.run(.queueInfo(queue))[0] else { throw StoreFixture.Unexpected() }
        #expect(view.completed == 10 && !view.lagging)
        #expect(try fixture.findings() == [])
    }

    @Test("a replay with a rate is even: no second has more, and nothing is made up for after a stop")
    func rate() throws {
        let fixture = try StoreFixture()
        try kill(400, fixture)
        let replay = BulkRequest(queue: queue, verb: .replay, filter: BulkFilter(state: .dead), rate: 100)
        try fixture.run(.bulk(replay))
        let start = fixture.now
        var done: [Int64] = []
        for millisecond in 0..<2_000 as Range<Int64> {
            fixture.now = start + millisecond
            let due = fixture.store.withEngine { $0.nextOperationInstant } ?? .max
            if due <= fixture.now { try slice(fixture) }
            done.append(try #require(try operations(fixture).first).done)
        }
        for second in stride(from: 0, to: 1_000, by: 50) {
            #expect((90...105).contains(done[second + 999] - done[second]))
        }
        try fixture.restart()
        fixture.now += 60_000
        try slice(fixture)
        let after = try #require(try operations(fixture).first).done
        #expect(after - (done.last ?? 0) == 1)
        #expect(try fixture.findings() == [])
    }

    @Test("a group that is given up leaves an operation where it was")
    func rolledBackSlice() throws {
        let fixture = try StoreFixture()
        try kill(20, fixture)
        fixture.store.withEngine { $0.operationSlice = 5 }
        try fixture.run(.bulk(BulkRequest(queue: queue, verb: .replay, filter: BulkFilter(state: .dead))))
        try slice(fixture)
        fixture.faults.failAt = 9
        fixture.faults.code = 28
        #expect(throws: StorageError.self) { try slice(fixture) }
        fixture.faults.failAt = nil
        #expect(try operations(fixture).first?.done == 0)
        #expect(try fixture.findings() == [])
        for _ in 0..<20 { try slice(fixture) }
        let view = try #require(try operations(fixture).first)
        #expect(view.state == .done && view.matched == 20 && view.done == 20)
        #expect(try fixture.reserve(count: 100).count == 20)
        #expect(try fixture.findings() == [])
    }

    @Test("what became due before a purge is purged, though nobody saw to it before")
    func purgeOfWhatCame() throws {
        let fixture = try StoreFixture()
        let every = CronSetRequest(
            name: Bytes("c".utf8), queue: queue, type: Bytes("t".utf8), payload: [1], schedule: .every(60_000))
        try fixture.run(.cronSet(every))
        _ = try fixture.add { $0.due = .after(60_000) }
        fixture.now += 61_000
        let purge = BulkRequest(queue: queue, verb: .purge, filter: BulkFilter(state: .pending))
        guard case .count(let purged) = try fixture.run(.bulk(purge))[0] else { throw StoreFixture.Unexpected() }
        #expect(purged == 2)
        #expect(try fixture.reserve(count: 10).isEmpty)
        #expect(try fixture.findings() == [])
    }

    @Test("after a restart an operation goes on where it was")
    func place() throws {
        let fixture = try StoreFixture()
        try kill(60, fixture)
        fixture.store.withEngine { $0.operationSlice = 1 }
        try fixture.run(.bulk(BulkRequest(queue: queue, verb: .replay, filter: BulkFilter(state: .dead))))
        try slice(fixture)
        let counted = try #require(try operations(fixture).first).matched
        #expect((1..<60).contains(counted), "it counts in slices")
        try fixture.restart()
        for _ in 0..<20 { try slice(fixture) }
        let view = try #require(try operations(fixture).first)
        #expect(view.state == .done && view.matched == 60 && view.done == 60)
    }

    @Test("a group sees how it changed the counts of dead tasks")
    func countsOfOneGroup() throws {
        let fixture = try StoreFixture()
        let ids = try (0..<3).map { _ in try fixture.add { $0.retries = 0 } }
        let fails = try fixture.reserve(count: 3).map { task in
            Operation.fail(FailRequest(id: task.id, token: task.token, message: [1], kind: [75]))
        }
        let look = Operation.deadKinds(DeadKindsRequest(queue: queue))
        func counts(_ answers: [Answer]) -> [[Int64]] {
            answers.compactMap { if case .deadKinds(let kinds, _) = $0 { kinds.map(\.count) } else { nil } }
        }
        #expect(counts(try fixture.run(fails[0], look, fails[1], look)) == [[1], [2]])
        let retries = ids.map { Operation.retry(RetryRequest(id: $0)) }
        let answers = try fixture.run(retries[0], look, retries[1], look, fails[2], look)
        #expect(counts(answers) == [[1], [], [1]])
        try fixture.restart()
        #expect(counts(try fixture.run(look)) == [[1]])
        #expect(try fixture.findings() == [])
    }

    @Test("a queue's number is used again, and its name is free at once")
    func deletedQueue() throws {
        let fixture = try StoreFixture()
        fixture.store.withEngine { $0.operationSlice = 5 }
        for _ in 0..<30 { _ = try fixture.add() }
        guard case .blocked = try fixture.run(.queueDelete(QueueRequest(queue: queue, caller: 7)))[0] else {
            throw StoreFixture.Unexpected()
        }
        let id = try fixture.add()
        try fixture.restart()
        for _ in 0..<50 { try slice(fixture) }
        #expect(try fixture.reserve(count: 100).map(\.id) == [id])
        _ = try fixture.add("other")
        #expect(try fixture.findings() == [])
        try fixture.restart()
        #expect(try fixture.reserve("other").count == 1)
        #expect(try fixture.findings() == [])
    }
}

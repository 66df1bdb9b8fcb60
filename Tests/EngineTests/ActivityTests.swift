import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

/// Rates and percentiles of QUEUE.INFO.
@Suite(.timeLimit(.minutes(1)))
struct ActivityTests {
    private func info(_ fixture: StoreFixture) throws -> QueueView {
        guard case .queue(let view) = try fixture.run(.queueInfo(Bytes("q".utf8)))[0] else {
            throw StoreFixture.Unexpected()
        }
        return view
    }

    private func acknowledge(_ task: HandOut) -> Operation {
        .acknowledge(AcknowledgeRequest(id: task.id, token: task.token))
    }

    @Test
    func ratesLookBackOneMinuteAndPercentilesTellWaitsAndRuns() throws {
        let fixture = try StoreFixture()
        for _ in 0..<30 { _ = try fixture.add() }
        #expect(try info(fixture).inRate == 30)
        #expect(try info(fixture).outRate == 0)
        #expect(try info(fixture).waits == nil)
        fixture.now += 10_000
        let tasks = try fixture.reserve(count: 20)
        fixture.now += 2_000
        for task in tasks { try fixture.run(acknowledge(task)) }
        let view = try info(fixture)
        #expect(view.inRate == 2.5)
        #expect(view.outRate == 1.667)
        #expect(view.failRate == 0)
        let waits = try #require(view.waits)
        #expect((9_900...10_100).contains(waits.half) && (9_900...10_100).contains(waits.most))
        let runs = try #require(view.runs)
        #expect((1_980...2_020).contains(runs.half))
        fixture.now += 70_000
        #expect(try info(fixture).inRate == 0)
        fixture.now += 70_000
        #expect(try info(fixture).waits == nil)
    }

    @Test
    func theSlowestOfAHundredIsTheNinetyNinthPercentileAndFailuresCount() throws {
        let fixture = try StoreFixture()
        for _ in 0..<100 { _ = try fixture.add() }
        var tasks = try fixture.reserve(count: 100)
        fixture.now += 10
        for task in tasks.prefix(97) { try fixture.run(acknowledge(task)) }
        fixture.now += 5_000
        tasks.removeFirst(97)
        for task in tasks {
            try fixture.run(.fail(FailRequest(id: task.id, token: task.token, message: [])))
        }
        let view = try info(fixture)
        #expect(view.failRate == 0.599)
        #expect(view.runs?.half == 10)
        #expect((4_950...5_060).contains(view.runs?.most ?? 0))
    }

    @Test
    func aGroupThatIsGivenUpCountsNothingAndAStartBeginsAnew() throws {
        let fixture = try StoreFixture()
        _ = try fixture.add()
        let before = try info(fixture)
        let now = fixture.now
        #expect(throws: StorageError.self) {
            try fixture.store.write(now: now) { (engine, transaction) throws(StorageError) in
                let request = AddRequest(queue: Bytes("q".utf8), type: Bytes("t".utf8), payload: [])
                _ = try engine.apply(.add(request), now: now, in: transaction)
                throw StorageError(.failed, "give the group up")
            }
        }
        #expect(try info(fixture) == before)
        try fixture.restart()
        #expect(try info(fixture).inRate == 0)
        #expect(try info(fixture).runs == nil)
    }

    @Test
    func noMoreThanSoManyQueuesAreWatched() throws {
        let fixture = try StoreFixture()
        for index in 0..<501 { _ = try fixture.add("q\(index)") }
        guard case .queues(let views) = try fixture.run(.queueList)[0] else { throw StoreFixture.Unexpected() }
        #expect(views.filter { $0.inRate != nil }.count == 500)
        fixture.now += 300_000
        _ = try fixture.add("q500")
        guard case .queues(let later) = try fixture.run(.queueList)[0] else { throw StoreFixture.Unexpected() }
        #expect(later.filter { $0.inRate != 0 }.map(\.name) == [Bytes("q500".utf8)], "the others are idle")
    }
}

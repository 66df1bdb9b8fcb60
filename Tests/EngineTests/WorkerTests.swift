import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

@Suite(.timeLimit(.minutes(1)))
struct WorkerTests {
    private func worker(_ name: String, in fixture: StoreFixture) throws -> WorkerView {
        guard case .worker(let view) = try fixture.run(.workerInfo(Bytes(name.utf8)))[0] else {
            throw StoreFixture.Unexpected()
        }
        return view
    }

    private func refusal(_ answer: Answer) -> ErrorCode? {
        if case .refused(let error) = answer { return error.code }
        return nil
    }

    @Test func `a worker is stale once it has missed three beats, over a restart too`() throws {
        let fixture = try StoreFixture()
        try fixture.run(.hello(HelloRequest(worker: Bytes("w".utf8))))
        fixture.now += 30_000
        #expect(try worker("w", in: fixture).state == "run")
        try fixture.run(.order(OrderRequest(worker: nil, order: .quiet)))
        fixture.now += 1
        #expect(try worker("w", in: fixture).state == "stale")
        try fixture.restart()
        #expect(try worker("w", in: fixture).state == "stale")
        try fixture.run(.beat(BeatRequest(worker: Bytes("w".utf8))))
        #expect(try worker("w", in: fixture).state == "quiet")
    }

    @Test func `a beat does not extend an attempt past its TIMEOUT`() throws {
        let fixture = try StoreFixture()
        let id = try fixture.add {
            $0.lease = 1_000
            $0.timeout = 1_500
        }
        let task = try #require(try fixture.reserve().first)
        fixture.now += 900
        var beat = BeatRequest(worker: Bytes("w".utf8))
        beat.extend = [(id, task.token)]
        try fixture.run(.beat(beat))
        #expect(try fixture.view(id)?.deadline == task.deadline + 500)
        fixture.now += 600
        guard case .beat(let answer) = try fixture.run(.beat(beat))[0] else { throw StoreFixture.Unexpected() }
        #expect(answer.lost == [id])
    }

    @Test func `past the bound only a stale worker makes room for a new one`() throws {
        let fixture = try StoreFixture()
        let now = fixture.now
        try fixture.store.write(now: now) { (engine, transaction) throws(StorageError) in
            for number in 0..<Limits.workers {
                let hello = HelloRequest(worker: Bytes("w\(number)".utf8))
                _ = try engine.apply(.hello(hello), now: now, in: transaction)
            }
        }
        let late = Operation.hello(HelloRequest(worker: Bytes("late".utf8)))
        #expect(refusal(try fixture.run(late)[0]) == .error)
        fixture.now += 30_001
        #expect(refusal(try fixture.run(late)[0]) == nil)
        #expect(refusal(try fixture.run(.workerInfo(Bytes("w0".utf8)))[0]) == .error)
        #expect(refusal(try fixture.run(.workerInfo(Bytes("w1".utf8)))[0]) == nil)
    }

    @Test func `a log keeps its newest lines, and goes with the task`() throws {
        let fixture = try StoreFixture()
        let id = try fixture.add { $0.keep = 1_000 }
        let task = try #require(try fixture.reserve().first)
        let line = Bytes(repeating: 65, count: 10_000)
        for _ in 0..<12 {
            try fixture.run(.log(LogRequest(id: id, token: task.token, lines: Array(repeating: line, count: 10))))
        }
        guard case .logLines(0, let lines) = try fixture.run(.logs(LogsRequest(id: id, count: 1_000)))[0] else {
            throw StoreFixture.Unexpected()
        }
        #expect(lines.count == Limits.log / 10_016)
        #expect(try fixture.findings().isEmpty)
        try fixture.run(.acknowledge(AcknowledgeRequest(id: id, token: task.token)))
        try fixture.advance(to: fixture.now + 1_000)
        #expect(refusal(try fixture.run(.logs(LogsRequest(id: id)))[0]) == .noTask)
        #expect(try fixture.findings().isEmpty)
    }
}

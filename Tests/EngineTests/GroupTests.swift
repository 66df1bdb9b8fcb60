import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

@Suite("A group happens whole or not at all, in memory too")
struct GroupTests {
    /// Adds, hands out, acknowledges, fails and blocks in one group whose n-th storage call fails.
    @Test("whichever call fails, tables, counters, leases and blocked callers are as before", arguments: 1...23)
    func planted(call: Int) throws {
        let fixture = try StoreFixture()
        for _ in 0..<5 { _ = try fixture.add() }
        let held = try fixture.reserve(count: 2)
        let nonce = RequestNonce(nonce: [9], fingerprint: 1)
        fixture.faults.failAt = call
        fixture.faults.code = 28
        let group: [Operation] = [
            .add(AddRequest(queue: [1], type: [2], payload: [3], request: nonce)),
            .acknowledge(AcknowledgeRequest(id: held[0].id, token: held[0].token)),
            .fail(FailRequest(id: held[1].id, token: held[1].token, message: [1], next: .retry(10))),
            .reserve(ReserveRequest(queues: [Bytes("q".utf8)], count: 3)),
            .reserve(ReserveRequest(queues: [[77]], block: .upTo(0), caller: 4)),
        ]
        let attempt = { () throws(StorageError) in
            _ = try fixture.run(group[0], group[1], group[2], group[3], group[4])
        }
        let error = #expect(throws: StorageError.self) { try attempt() }
        #expect(error?.kind == .full)
        #expect(try fixture.findings() == [])
        #expect(fixture.store.withEngine { $0.waitingCallers } == [])
        #expect(try fixture.view(held[0].id)?.state == .active)
        try attempt()
        #expect(try fixture.findings() == [])
        #expect(fixture.store.withEngine { $0.waitingCallers } == [4])
        #expect(try fixture.view(held[0].id)?.state == .completed)
        try fixture.restart()
        #expect(try fixture.findings() == [])
    }

    @Test("the effects of all groups, replayed elsewhere, are the same broker")
    func journal() throws {
        let (here, there) = (try StoreFixture(), try StoreFixture())
        var groups: [[UInt8]] = []
        for number in 0..<30 as Range<Int64> {
            _ = try here.add {
                $0.priority = Int(number % 10 + 1)
                $0.due = .after(number % 3)
            }
            groups.append(here.effects.bytes)
            here.now += 1
            for task in try here.reserve(count: 2) where task.token % 3 != 0 {
                groups.append(here.effects.bytes)
                try here.run(.acknowledge(AcknowledgeRequest(id: task.id, token: task.token, result: [7])))
            }
            groups.append(here.effects.bytes)
        }
        for effects in groups {
            try there.store.write(now: here.now) { (_, transaction) throws(StorageError) in
                try transaction.replay(effects)
            }
        }
        there.now = here.now
        try there.restart()
        #expect(try there.findings() == [])
        guard case .queues(let mine) = try here.run(.queueList)[0],
            case .queues(let copied) = try there.run(.queueList)[0]
        else { throw StoreFixture.Unexpected() }
        #expect(mine.map(stored) == copied.map(stored))
        #expect(mine[0].completed > 5)
    }

    /// What of a view is on the disk: rates and percentiles live in memory alone.
    private func stored(_ view: QueueView) -> QueueView {
        var view = view
        (view.inRate, view.outRate, view.failRate, view.waits, view.runs) = (nil, nil, nil, nil, nil)
        return view
    }
}

import MartletEngine
import MartletProtocol
import Testing

@Suite("What is over takes no room and no turn, although the bookkeeping has not come to it")
struct HandOutTests {
    @Test("an expired task takes no place of MAXLEN")
    func maxLength() throws {
        let fixture = try StoreFixture()
        var options = QueueOptions()
        options.maxLength = 1
        let set = QueueSetRequest(queue: Bytes("q".utf8), given: [.maxLength], options: options)
        try fixture.run(.queueSet(set))
        _ = try fixture.add { $0.timeToLive = 5 }
        #expect(throws: StoreFixture.Unexpected.self) { try fixture.add() }
        fixture.now += 5
        _ = try fixture.add()
        #expect(try fixture.findings() == [])
    }

    @Test("a queue whose task has expired has no turn of MODE WEIGHTED", arguments: 0..<20)
    func weighted(before: Int) throws {
        let fixture = try StoreFixture()
        // Another hand-out before, and another queue has its turn.
        for _ in 0..<before { _ = try fixture.add("other") }
        _ = try fixture.reserve("other", count: max(1, before))
        _ = try fixture.add("a") { $0.timeToLive = 5 }
        let (b, c) = (try fixture.add("b"), try fixture.add("c"))
        let weights: [Int64] = [1_000, 500, 500]
        fixture.now += 5
        let queues = ["a", "b", "c"].map { Bytes($0.utf8) }
        var reserve = ReserveRequest(queues: queues)
        reserve.mode = .weighted(weights)
        guard case .handedOut(let tasks) = try fixture.run(.reserve(reserve))[0] else {
            throw StoreFixture.Unexpected()
        }
        // With two queues of one weight the turn is the first half of the line, or the second.
        let place = UInt64(before + 1) &* 0x9E37_79B9_7F4A_7C15
        #expect(tasks.map(\.id) == [place >> 63 == 0 ? b : c])
    }
}

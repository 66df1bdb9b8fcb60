import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

@Suite("Limits in virtual time")
struct LimitTests {
    private let api = Bytes("api".utf8)
    private let queue = Bytes("q".utf8)

    /// Lets the clock follow the engine's own timer until `end`, and notes what every group grants. Who was served asks
    /// again at once.
    private func grants(_ fixture: StoreFixture, until end: Timestamp, _ ask: (CallerID) -> Operation) throws
        -> [Timestamp]
    {
        var grants: [Timestamp] = []
        func note(_ answers: [Answer]) -> Int {
            let granted = answers.reduce(0) { $0 + Self.granted($1) }
            grants += Array(repeating: fixture.now, count: granted)
            return granted
        }
        var caller: CallerID = 0
        for _ in 0..<10 {
            caller += 1
            while note(try fixture.run(ask(caller))) > 0 {}
        }
        while let next = try nextInstant(fixture), next <= end {
            fixture.now = max(next, fixture.now)
            try fixture.advance(to: fixture.now)
            var served = note(try fixture.run())
            while served > 0 {
                caller += 1
                served += note(try fixture.run(ask(caller))) - 1
            }
        }
        return grants
    }

    private static func granted(_ answer: Answer) -> Int {
        switch answer {
        case .taken(let taken): taken.isLimited ? 0 : 1
        case .handedOut(let tasks): tasks.count
        default: 0
        }
    }

    private func nextInstant(_ fixture: StoreFixture) throws -> Timestamp? {
        try fixture.store.read { (engine, transaction) throws(StorageError) in
            try engine.nextInstant(in: transaction)
        }
    }

    /// Never more than BURST + RATE·t/PER in any window, and 99 % of what there was.
    private func check(_ grants: [Timestamp], rate: Int64, per: Milliseconds, burst: Int64, span: Milliseconds) {
        for first in grants.indices {
            for last in grants.indices[first...] {
                let count = Int64(last - first + 1)
                let window = grants[last] - grants[first]
                guard (count - burst) * per > rate * window else { continue }
                Issue.record("\(count) grants in \(window) ms")
                return
            }
        }
        #expect(Int64(grants.count) * per * 100 >= (burst * per + rate * span) * 99)
    }

    private static let rules: [(Int64, Milliseconds, Int64)] = [
        (230, 10_000, 230), (230, 10_000, 2), (7, 100, 3), (1, 1, 1), (3, 1_000, 50),
    ]

    @Test("ten who take without end get all and no more", arguments: rules)
    func takers(rate: Int64, per: Milliseconds, burst: Int64) throws {
        let fixture = try StoreFixture()
        let span = min(60_000, 200 * per)
        try fixture.run(
            .limitSet(LimitSetRequest(name: api, kind: .tokens(rate: rate, per: per, burst: burst))))
        let all = try grants(fixture, until: fixture.now + span) { caller in
            .limitTake(LimitTakeRequest(name: api, block: .upTo(0), caller: caller))
        }
        check(all, rate: rate, per: per, burst: burst, span: span)
    }

    @Test("a task whose time to live is over holds nobody back, although the bookkeeping has not come to it")
    func expiredUnnoticed() throws {
        for asksWhy in [false, true] {
            let fixture = try StoreFixture()
            try fixture.run(
                .limitSet(LimitSetRequest(name: api, kind: .tokens(rate: 3, per: 86_400_000, burst: 3))),
                .limitTake(LimitTakeRequest(name: api)))
            _ = try fixture.add {
                $0.limits = [LimitCost(name: api, cost: 3)]
                $0.timeToLive = 20
            }
            let cheap = try fixture.add { $0.limits = [LimitCost(name: api)] }
            #expect(try fixture.reserve().isEmpty)
            fixture.now += 20
            if asksWhy {
                guard case .why(let view) = try fixture.run(.why(cheap))[0] else { throw StoreFixture.Unexpected() }
                #expect(view.reason == .noWorker)
            } else {
                #expect(try fixture.reserve().map(\.id) == [cheap])
            }
        }
    }

    @Test("a task that is cancelled lets who waits have what it held back, at once")
    func cancelledHead() throws {
        let fixture = try StoreFixture()
        try fixture.run(
            .limitSet(LimitSetRequest(name: api, kind: .tokens(rate: 3, per: 86_400_000, burst: 3))),
            .limitTake(LimitTakeRequest(name: api)))
        let dear = try fixture.add { $0.limits = [LimitCost(name: api, cost: 3)] }
        let cheap = try fixture.add { $0.limits = [LimitCost(name: api)] }
        let ask = ReserveRequest(queues: [queue], block: .upTo(0), caller: 7)
        guard case .blocked = try fixture.run(.reserve(ask))[0] else { throw StoreFixture.Unexpected() }
        let answers = try fixture.run(.cancel(CancelRequest(id: dear)))
        guard case .handedOut(let tasks)? = answers.dropFirst().first else { throw StoreFixture.Unexpected() }
        #expect(tasks.map(\.id) == [cheap])
    }

    @Test("ten workers of a queue bound to a limit get all and no more", arguments: rules)
    func workers(rate: Int64, per: Milliseconds, burst: Int64) throws {
        let fixture = try StoreFixture()
        let span = min(60_000, 200 * per)
        try fixture.run(
            .limitSet(LimitSetRequest(name: api, kind: .tokens(rate: rate, per: per, burst: burst))))
        var options = QueueOptions()
        options.limit = api
        try fixture.run(.queueSet(QueueSetRequest(queue: queue, given: [.limit], options: options)))
        let items = Array(repeating: AddManyRequest.Item(type: Bytes("t".utf8), payload: [1]), count: 2_000)
        var task = TaskOptions()
        task.lease = 1_000_000
        try fixture.run(.addMany(AddManyRequest(queue: queue, items: items, options: task)))
        let all = try grants(fixture, until: fixture.now + span) { caller in
            .reserve(ReserveRequest(queues: [queue], block: .upTo(0), caller: caller))
        }
        check(all, rate: rate, per: per, burst: burst, span: span)
    }
}

import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

/// What happens to one task changes many others, a few of them in each group.
@Suite("Waves")
struct WaveTests {
    private static let slice = 5
    private static let queue = Bytes("q".utf8)
    private let fixture: StoreFixture

    init() throws {
        fixture = try StoreFixture()
        fixture.store.withEngine { $0.waveSlice = Self.slice }
    }

    @Test("the dependents of a task are told of its end a few in each group", arguments: Dependencies.OnDead.allCases)
    func dependents(_ onDead: Dependencies.OnDead) throws {
        let id = try fixture.add { $0.retries = 0 }
        try add(23, after: Dependencies([id], onDead: onDead))
        let task = try #require(try fixture.reserve().first)
        try fixture.run(.fail(FailRequest(id: id, token: task.token, message: [1])))
        // Who waits is passed over, but looked at all the same.
        if onDead == .wait {
            try fixture.advance(to: fixture.now)
            try fixture.run(.delete(DeleteRequest(ids: [id])))
        }
        #expect(try count(\.blocked) == 18)
        #expect(try steps { $0.blocked } == [5, 5, 5, 3])
        #expect(try count(\.cancelled) == (onDead == .run ? 0 : 23))
        #expect(try count(\.pending) == (onDead == .run ? 23 : 0))
        #expect(try fixture.findings().isEmpty)
    }

    @Test("so are those that wait for the dependents: a tree does not end at once")
    func tree() throws {
        let root = try fixture.add()
        let branches = try add(3, after: Dependencies([root], onDead: .cancel))
        for branch in branches { try add(3, after: Dependencies([branch], onDead: .cancel)) }
        try fixture.run(.cancel(CancelRequest(id: root)))
        #expect(try count(\.blocked) == 12 - 5)
        #expect(try steps { $0.blocked }.allSatisfy { $0 <= Int64(Self.slice) })
        #expect(try count(\.cancelled) == 13)
        #expect(try fixture.findings().isEmpty)
    }

    @Test("a task that is moved to a queue with MAXLEN while its own is lined up leaves its line")
    func movedWhileLinedUp() throws {
        let other = Bytes("other".utf8)
        let ids = try add(14, after: nil) { $0.group = [1] }
        var options = QueueOptions()
        (options.maxLength, options.groupConcurrency) = (10, 1)
        try fixture.run(.queueSet(QueueSetRequest(queue: other, given: [.maxLength], options: options)))
        try fixture.run(.queueSet(QueueSetRequest(queue: Self.queue, given: [.groupConcurrency], options: options)))
        // The next slice is done for MAXLEN's sake, and this one is in it.
        try fixture.run(.move(MoveRequest(id: ids[7], queue: other)))
        try fixture.advance(to: fixture.now)
        #expect(try fixture.view(ids[7])?.queue == other)
        #expect(try fixture.findings().isEmpty)
    }

    @Test("all ends of a group together tell no more, and a crash loses none of the rest")
    func manyEnds() throws {
        let first = try fixture.add()
        let second = try fixture.add()
        try add(7, after: Dependencies([first]))
        try add(7, after: Dependencies([second]))
        let tasks = try fixture.reserve(count: 2).map { (Optional($0.id), $0.token) }
        try fixture.run(.acknowledgeMany(AcknowledgeManyRequest(tasks: tasks)))
        #expect(try count(\.blocked) == 14 - 5)
        try fixture.restart()
        try fixture.advance(to: fixture.now)
        #expect(try count(\.pending) == 14)
        #expect(try fixture.findings().isEmpty)
    }

    @Test("the tasks of a batch are cancelled with it a few in each group")
    func members() throws {
        guard case .id(let batch) = try fixture.run(.batchNew(BatchNewRequest(followers: [])))[0] else {
            throw StoreFixture.Unexpected()
        }
        try add(23, after: nil, batch: Bytes(batch.description.utf8))
        try fixture.run(.batch(BatchRequest(batch: Bytes(batch.description.utf8), action: .cancel)))
        #expect(try count(\.pending) == 18)
        #expect(try steps { $0.pending } == [5, 5, 5, 3])
        #expect(try fixture.findings().isEmpty)
    }

    @Test("those whose own time is over at that instant expire, however many are told at once")
    func expiry() throws {
        let id = try fixture.add { $0.timeToLive = 1_000 }
        try add(7, after: Dependencies([id], onDead: .cancel)) { $0.timeToLive = 1_000 }
        fixture.now += 1_000
        try fixture.advance(to: fixture.now)
        #expect(try count(\.expired) == 8)
        #expect(try count(\.cancelled) == 0)
        #expect(try fixture.findings().isEmpty)
    }

    @Test("what has its instant does not wait for the end of a wave")
    func leases() throws {
        let id = try fixture.add()
        try add(23, after: Dependencies([id]))
        _ = try fixture.add("other")
        let reserve = ReserveRequest(queues: [Bytes("other".utf8)], lease: 1_000)
        try fixture.run(.reserve(reserve))
        let task = try #require(try fixture.reserve().first)
        try fixture.run(.acknowledge(AcknowledgeRequest(id: id, token: task.token)))
        fixture.now += 2_000
        _ = try fixture.advanceOnce()
        // A look at the task itself would end its lease.
        #expect(try view("other").active == 0)
        #expect(try count(\.blocked) > 0)
    }

    @discardableResult
    private func add(
        _ count: Int, after: Dependencies?, batch: Bytes? = nil, _ change: (inout TaskOptions) -> Void = { _ in }
    ) throws -> [TaskID] {
        let item = AddManyRequest.Item(type: Bytes("t".utf8), payload: [1])
        var add = AddManyRequest(queue: Self.queue, items: Array(repeating: item, count: count))
        (add.after, add.batch) = (after, batch)
        change(&add.options)
        guard case .ids(let ids) = try fixture.run(.addMany(add))[0] else { throw StoreFixture.Unexpected() }
        return ids
    }

    private func view(_ queue: String = "q") throws -> QueueView {
        guard case .queue(let view) = try fixture.run(.queueInfo(Bytes(queue.utf8)))[0] else {
            throw StoreFixture.Unexpected()
        }
        return view
    }

    private func count(_ state: KeyPath<QueueView, Int64>) throws -> Int64 { try view()[keyPath: state] }

    /// How many tasks leave a state in each group until nothing is left to do.
    private func steps(_ count: (QueueView) -> Int64) throws -> [Int64] {
        var steps: [Int64] = []
        var before = count(try view())
        while try fixture.advanceOnce() > 0 {
            let after = count(try view())
            steps.append(before - after)
            before = after
        }
        return steps
    }
}

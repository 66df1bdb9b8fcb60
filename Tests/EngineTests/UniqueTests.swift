import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

@Suite("A UNIQUE key is held as long as its UNTIL and FOR say")
struct UniqueTests {
    /// What happens to the holder.
    enum Moment: CaseIterable {
        case handedOut, completed, dead, cancelled, deleted, outlived, recordGone, timePassed
    }

    /// Which of them free the key of each kind.
    static let freeing: [(UniqueKey, Set<Moment>)] = [
        (UniqueKey([1], until: .start), [.handedOut, .completed, .dead, .cancelled, .deleted, .outlived, .recordGone]),
        (UniqueKey([1]), [.completed, .dead, .cancelled, .deleted, .outlived, .recordGone]),
        (UniqueKey([1], until: .expire), [.deleted, .recordGone]),
        (UniqueKey([1], span: 500, until: .expire), [.timePassed]),
        (
            UniqueKey([1], span: 500),
            [.completed, .dead, .cancelled, .deleted, .outlived, .recordGone, .timePassed]
        ),
    ]

    @Test("every end frees it or not, as the contract says", arguments: freeing, Moment.allCases)
    func table(key: (unique: UniqueKey, freedBy: Set<Moment>), moment: Moment) throws {
        let fixture = try StoreFixture()
        let holder = try add(key.unique, moment, fixture)
        #expect(try add(key.unique, moment, fixture) == holder)
        try happen(moment, to: holder, fixture)
        #expect(try fixture.findings() == [])
        try fixture.restart()
        let isFree = try add(key.unique, moment, fixture) != holder
        #expect(isFree == key.freedBy.contains(moment))
        #expect(try fixture.findings() == [])
    }

    private func add(_ unique: UniqueKey, _ moment: Moment, _ fixture: StoreFixture) throws -> TaskID {
        var options = TaskOptions()
        options.retries = 0
        options.timeToLive = moment == .outlived ? 100 : nil
        options.keep = moment == .recordGone ? 0 : 60_000
        var request = AddRequest(queue: Bytes("q".utf8), type: [1], payload: [], options: options)
        request.unique = unique
        guard case .id(let id) = try fixture.run(.add(request))[0] else { throw StoreFixture.Unexpected() }
        return id
    }

    private func happen(_ moment: Moment, to id: TaskID, _ fixture: StoreFixture) throws {
        switch moment {
        case .cancelled: try fixture.run(.cancel(CancelRequest(id: id)))
        case .deleted: try fixture.run(.delete(DeleteRequest(ids: [id])))
        case .outlived: try fixture.advance(to: fixture.now + 100)
        case .timePassed: try fixture.advance(to: fixture.now + 500)
        case .handedOut, .completed, .dead, .recordGone:
            let task = try #require(try fixture.reserve().first)
            if moment == .dead { try fixture.run(.fail(FailRequest(id: id, token: task.token, message: []))) }
            if moment == .completed || moment == .recordGone {
                try fixture.run(.acknowledge(AcknowledgeRequest(id: id, token: task.token)))
            }
        }
    }

    /// Replaces, moves, cancels and deletes in one group whose n-th storage call fails.
    @Test("whichever call fails, keys, timers and leases are as before", arguments: 1...27)
    func planted(call: Int) throws {
        let fixture = try StoreFixture()
        var request = AddRequest(queue: Bytes("q".utf8), type: [1], payload: [9])
        request.unique = UniqueKey([1], span: 5_000)
        request.conflict = .replace
        guard case .id(let old) = try fixture.run(.add(request))[0] else { throw StoreFixture.Unexpected() }
        let moved = try fixture.add { $0.timeToLive = 9_000 }
        let doomed = try fixture.add { $0.tags = [[7]] }
        let held = try fixture.add("held")
        _ = try fixture.reserve("held")
        let group = { () throws(StorageError) in
            try fixture.run(
                .add(request), .move(MoveRequest(id: moved, priority: 9, runAt: fixture.now + 5, queue: [77])),
                .cancel(CancelRequest(id: held, reason: [1])), .delete(DeleteRequest(ids: [doomed])))
        }
        fixture.faults.failAt = call
        fixture.faults.code = 28
        let error = #expect(throws: StorageError.self) { _ = try group() }
        #expect(error?.kind == .full)
        #expect(try fixture.findings() == [])
        #expect(try fixture.view(old)?.state == .pending)
        #expect(try fixture.view(held)?.cancel == false)
        #expect(try fixture.view(doomed)?.tags == [[7]])
        _ = try group()
        #expect(try fixture.findings() == [])
        #expect(try fixture.view(old)?.state == .cancelled)
        #expect(try fixture.view(moved)?.queue == [77])
        #expect(try fixture.view(held)?.cancel == true)
        try fixture.restart()
        #expect(try fixture.findings() == [])
    }
}

import MartletEngine
import MartletProtocol
import Testing

@Suite("Hand-outs go by priority, then due time, then id")
struct OrderTests {
    @Test("mixed priorities come out highest first and first in first out, by rising tokens", .timeLimit(.minutes(2)))
    func order() throws {
        let fixture = try StoreFixture()
        var added: [(priority: Int, id: TaskID)] = []
        for number in 0..<1_000 {
            let priority = number * 7 % 10 + 1
            added.append((priority, try fixture.add { $0.priority = priority }))
        }
        let expected = added.sorted { ($0.priority, $1.id) > ($1.priority, $0.id) }.map(\.id)
        let tasks = try fixture.reserve(count: 1_000)
        #expect(tasks.map(\.id) == expected)
        #expect(zip(tasks, tasks.dropFirst()).allSatisfy { $0.token < $1.token })
        #expect(try fixture.findings() == [])
    }

    @Test("tasks that became due together after downtime go out in the order of their due times")
    func downtime() throws {
        let fixture = try StoreFixture()
        var added: [(due: Timestamp, id: TaskID)] = []
        for number in 0..<300 as Range<Int64> {
            let due = fixture.now + 1 + number * 7_919 % 1_000
            added.append((due, try fixture.add { $0.due = .at(due) }))
        }
        #expect(try fixture.reserve().isEmpty)
        try fixture.restart()
        fixture.now += 5_000
        let tasks = try fixture.reserve(count: 300)
        #expect(tasks.map(\.id) == added.sorted { ($0.due, $0.id) < ($1.due, $1.id) }.map(\.id))
        try fixture.advance(to: fixture.now)
        #expect(try fixture.findings() == [])
    }

    @Test("a task is handed out in the very millisecond in which it is due, not before")
    func due() throws {
        let fixture = try StoreFixture()
        let id = try fixture.add { $0.due = .after(50) }
        fixture.now += 49
        #expect(try fixture.reserve().isEmpty)
        fixture.now += 1
        #expect(try fixture.reserve().map(\.id) == [id])
    }

    @Test("of contested hand-outs 30 in 100 go to the retry lane")
    func retryShare() throws {
        let fixture = try StoreFixture()
        for _ in 0..<100 { _ = try fixture.add() }
        for task in try fixture.reserve(count: 100) {
            try fixture.run(.fail(FailRequest(id: task.id, token: task.token, message: [], next: .retry(0))))
        }
        for _ in 0..<200 { _ = try fixture.add() }
        let tasks = try fixture.reserve(count: 100)
        #expect(tasks.count { $0.attempt == 2 } == 30)
        #expect(
            tasks.prefix(10).map { $0.attempt == 2 } == [
                false, false, false, true, false, false, true, false, false, true,
            ])
    }
}

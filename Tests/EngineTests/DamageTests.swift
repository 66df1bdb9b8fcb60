import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

@Suite("A damaged record holds nothing up")
struct DamageTests {
    /// Tables with records. What is read at the start alone is left out: there a start says what is damaged.
    static let tables = [
        "tasks", "states", "bodies", "history", "unique", "logs", "kinds", "dependencies", "batches", "followers",
        "groups", "moves", "texts",
    ]

    @Test("whichever it is, everything else happens and a repair leaves nothing", arguments: tables)
    func each(table: String) throws {
        var place = 0
        while let fixture = try damaged(table, place) {
            let life = DamagedLife(fixture)
            try life.run()
            fixture.store.close()
            let left = try DataCheck(directory: fixture.directory, now: fixture.now).run(repair: true).left
            #expect(left == 0, "\(table) \(place)")
            try fixture.restart()
            let findings = try fixture.findings()
            #expect(findings == [], "\(table) \(place)")
            place += 1
        }
        #expect(place > 0, "the store has no record in \(table)")
    }

    /// A store with tasks in every state in which the record of `table` at `place` is damaged.
    private func damaged(_ table: String, _ place: Int) throws -> StoreFixture? {
        let fixture = try StoreFixture()
        _ = try PlantedStore(fixture)
        let held = try fixture.reserve()
        try fixture.run(.log(LogRequest(id: held[0].id, token: held[0].token, lines: [[1], [2]])))
        for _ in 0..<2 { _ = try fixture.add("sound") { $0.due = .after(10_000_000) } }
        fixture.store.close()
        let environment = try Environment(directory: fixture.directory, tables: PlantedStore.tables)
        let isThere = try environment.write { (transaction) throws(StorageError) -> Bool in
            var keys: [KeyBytes] = []
            try transaction.scan(PlantedStore.table(table), from: KeyBytes(), prefix: KeyBytes()) { key, _ in
                keys.append(key)
                return true
            }
            guard keys.indices.contains(place) else { return false }
            try transaction.put(PlantedStore.table(table), keys[place], flags: 9)
            return true
        }
        environment.close()
        guard isThere else { return nil }
        try fixture.restart()
        return fixture
    }
}

/// The life of a store's tasks as a broker leads it: what met a damaged record is undone, the record put aside, and
/// what met it tried again.
private struct DamagedLife {
    let fixture: StoreFixture
    /// More records than the store has.
    private static let patience = 200

    init(_ fixture: StoreFixture) { self.fixture = fixture }

    func run() throws {
        try pass(7_200_000)
        try work("q", failing: true)
        try pass(3_600_000)
        #expect(try work("sound", failing: false) >= 1)
        for queue in ["q", "fair"] { try work(queue, failing: false) }
        let more = try fixture.add("q")
        #expect(try work("q", failing: false) >= 1)
        #expect(try fixture.view(more)?.state == .completed)
        try pass(40 * 86_400_000)
        try work("q", failing: false)
    }

    /// Time goes on, and everything that is due happens.
    private func pass(_ span: Milliseconds) throws {
        fixture.now += span
        for _ in 0..<Self.patience {
            guard try tolerating({ () throws(StorageError) in try fixture.advanceOnce() }) ?? 0 > 0 else { return }
        }
        Issue.record("bookkeeping does not end")
    }

    /// Takes what there is and ends it; how many tasks were acknowledged.
    @discardableResult
    private func work(_ queue: String, failing: Bool) throws -> Int {
        let request = ReserveRequest(queues: [Bytes(queue.utf8)], count: 20)
        guard case .handedOut(let tasks) = try apply(.reserve(request)) else { return 0 }
        for (index, task) in tasks.enumerated() {
            if failing, index.isMultiple(of: 2) {
                _ = try apply(.fail(FailRequest(id: task.id, token: task.token, message: [1])))
            } else {
                _ = try apply(.acknowledge(AcknowledgeRequest(id: task.id, token: task.token)))
            }
        }
        return tasks.count
    }

    private func apply(_ operation: MartletEngine.Operation) throws -> Answer? {
        try tolerating { () throws(StorageError) in try fixture.run(operation)[0] }
    }

    private func tolerating<R>(_ body: () throws(StorageError) -> R) throws -> R? {
        for _ in 0..<Self.patience {
            do throws(StorageError) {
                return try body()
            } catch {
                let now = fixture.now
                let isAside = try fixture.store.write(now: now) { (engine, transaction) throws(StorageError) in
                    try engine.putAside(error, at: now, in: transaction)
                }
                #expect(isAside, "\(error)")
                guard isAside else { return nil }
            }
        }
        Issue.record("it stumbles without end")
        return nil
    }
}

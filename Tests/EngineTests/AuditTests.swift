import Foundation
import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

/// A way in which tables can come to disagree, planted through the storage layer.
struct Plant: Sendable, CustomTestStringConvertible {
    let kind: Disagreement.Kind
    let what: String
    let plant: @Sendable (borrowing Transaction<Writing>, PlantedStore) throws(StorageError) -> Void

    var testDescription: String { "\(kind.rawValue): \(what)" }

    init(
        _ kind: Disagreement.Kind, _ what: String,
        _ plant: @escaping @Sendable (borrowing Transaction<Writing>, PlantedStore) throws(StorageError) -> Void
    ) {
        (self.kind, self.what, self.plant) = (kind, what, plant)
    }
}

extension Plant {
    private typealias Store = PlantedStore

    static let all: [Plant] = tasks + states + indexes + batches + lines + numbers

    private static let tasks = [
        Plant(.waitingWithoutTask, "the record is gone") { (transaction, store) throws(StorageError) in
            try transaction.delete(Store.table("tasks"), Store.key(store.pending))
        },
        Plant(.damagedRecord, "a task") { (transaction, store) throws(StorageError) in
            try transaction.put(Store.table("tasks"), Store.key(store.pending), flags: 9)
        },
        Plant(.taskNowhere, "its waiting entry is gone") { (transaction, store) throws(StorageError) in
            let key = try Store.find("waiting", store.pending, at: 16, transaction)
            try transaction.delete(Store.table("waiting"), key)
        },
        Plant(.taskNowhere, "its active state is gone") { (transaction, store) throws(StorageError) in
            try transaction.delete(Store.table("states"), Store.state(1, store.active))
        },
        Plant(.misplacedWaiting, "a second entry") { (transaction, store) throws(StorageError) in
            let key = Store.waiting(store.pending, inverse: 2, due: 5)
            try transaction.put(Store.table("waiting"), key, flags: 0)
        },
        Plant(.misplacedWaiting, "an entry of an active task") { (transaction, store) throws(StorageError) in
            try transaction.put(Store.table("waiting"), Store.waiting(store.active, due: 5), flags: 0)
        },
        Plant(.misplacedWaiting, "wrong flags") { (transaction, store) throws(StorageError) in
            let key = try Store.find("waiting", store.pending, at: 16, transaction)
            try transaction.put(Store.table("waiting"), key, flags: 1)
        },
        Plant(.bodyMissing, "a payload") { (transaction, store) throws(StorageError) in
            let key = try Store.find("bodies", store.large, at: 0, transaction)
            try transaction.delete(Store.table("bodies"), key)
        },
        Plant(.bodyMissing, "a result") { (transaction, store) throws(StorageError) in
            let key = try Store.find("bodies", store.completed, at: 0, transaction)
            try transaction.delete(Store.table("bodies"), key)
        },
        Plant(.damagedRecord, "a payload") { (transaction, store) throws(StorageError) in
            let key = try Store.find("bodies", store.large, at: 0, transaction)
            try transaction.put(Store.table("bodies"), key, flags: 9)
        },
    ]

    private static let states = [
        Plant(.stateWithoutTask, "an active one") { (transaction, store) throws(StorageError) in
            try transaction.delete(Store.table("tasks"), Store.key(store.active))
        },
        Plant(.damagedRecord, "an active state") { (transaction, store) throws(StorageError) in
            try transaction.put(Store.table("states"), Store.state(1, store.active), flags: 9)
        },
        Plant(.stateOutOfPlace, "an active state among the waiting") { (transaction, store) throws(StorageError) in
            let key = Store.state(1, store.active)
            try Store.rewrite("states", key, to: Store.state(2, store.active), transaction) { _ in }
        },
        Plant(.stateOutOfPlace, "an active state without a token") { (transaction, store) throws(StorageError) in
            // Behind the mask, state, priority, queue, type, limits, attempt and retries, each a byte here.
            try Store.rewrite("states", Store.state(1, store.active), transaction) { $0[9] = 0 }
        },
        Plant(.historyDangling, "of no task") { (transaction, store) throws(StorageError) in
            var from = Store.key(store.dead)
            from.append(UInt32(0))
            var to = Store.key(Store.nobody)
            to.append(UInt32(0))
            try Store.rewrite("history", from, to: to, transaction) { _ in }
        },
        Plant(.logMissing, "of an active task") { (transaction, store) throws(StorageError) in
            // The mask's bit that says that there is a log.
            try Store.rewrite("states", Store.state(1, store.active), transaction) { $0[1] |= 0x20 }
        },
        Plant(.logDangling, "of no task") { (transaction, store) throws(StorageError) in
            var key = Store.key(Store.nobody)
            key.append(UInt64(0))
            try transaction.put(Store.table("logs"), key) { $0.uint8(1) }
        },
        Plant(.bodyDangling, "of no task") { (transaction, store) throws(StorageError) in
            var key = Store.key(Store.nobody)
            key.append(UInt8(1))
            let from = try Store.find("bodies", store.large, at: 0, transaction)
            try Store.rewrite("bodies", from, to: key, transaction) { _ in }
        },
    ]

    private static let indexes = [
        Plant(.timerMissing, "of a scheduled task") { (transaction, store) throws(StorageError) in
            let key = try Store.find("timers", store.scheduled, at: 9, kind: 1, transaction)
            try transaction.delete(Store.table("timers"), key)
        },
        Plant(.timerMissing, "of a time to live") { (transaction, store) throws(StorageError) in
            let key = try Store.find("timers", store.pending, at: 9, kind: 2, transaction)
            try transaction.delete(Store.table("timers"), key)
        },
        Plant(.timerMissing, "of retention") { (transaction, store) throws(StorageError) in
            let key = try Store.find("timers", store.apart, at: 9, kind: 3, transaction)
            try transaction.delete(Store.table("timers"), key)
        },
        Plant(.timerMissing, "of a line of completed tasks") { (transaction, store) throws(StorageError) in
            let key = try Store.find("timers", UInt64(TaskState.completed.rawValue), at: 9, kind: 13, transaction)
            try transaction.delete(Store.table("timers"), key)
        },
        Plant(.timerMissing, "of a task kept otherwise than its line") { (transaction, store) throws(StorageError) in
            let (day, longer): (Bytes, Bytes) = ([0x80, 0xF0, 0xB2, 0x52], [0x82, 0xF0, 0xB2, 0x52])
            try Store.rewrite("states", Store.state(3, store.completed), transaction) { bytes in
                guard let place = bytes.indices.first(where: { bytes[$0...].starts(with: day) }) else { return }
                bytes.replaceSubrange(place..<place + day.count, with: longer)
            }
        },
        Plant(.timerDangling, "of a line that is not there") { (transaction, store) throws(StorageError) in
            var key = KeyBytes()
            key.append(Int64(5))
            key.append(UInt8(13))
            key.append(UInt64(TaskState.expired.rawValue))
            key.append(UInt32(1))
            key.append(UInt64(0))
            try transaction.put(Store.table("timers"), key, flags: 0)
        },
        Plant(.endedDangling, "as one with a timer of its own") { (transaction, store) throws(StorageError) in
            let key = try Store.find("ended", store.completed, at: 13, transaction)
            try transaction.put(Store.table("ended"), key, flags: 1)
        },
        Plant(.timerDangling, "of no task") { (transaction, store) throws(StorageError) in
            var key = KeyBytes()
            key.append(Int64(5))
            key.append(UInt8(2))
            key.append(Store.nobody)
            key.append(UInt32(1))
            try transaction.put(Store.table("timers"), key, flags: 0)
        },
        Plant(.endedUnlisted, "a completed task") { (transaction, store) throws(StorageError) in
            let key = try Store.find("ended", store.completed, at: 13, transaction)
            try transaction.delete(Store.table("ended"), key)
        },
        Plant(.endedDangling, "a pending task") { (transaction, store) throws(StorageError) in
            var key = KeyBytes()
            key.append(UInt32(1))
            key.append(UInt8(4))
            key.append(Int64(5))
            key.append(store.pending)
            try transaction.put(Store.table("ended"), key, flags: 0)
        },
        Plant(.uniqueDangling, "its task is gone") { (transaction, store) throws(StorageError) in
            try transaction.delete(Store.table("tasks"), Store.key(store.unique))
        },
        Plant(.uniqueMissing, "its hold is gone") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            guard let key = try transaction.first(Store.table("unique"), from: all, prefix: all)?.key else { return }
            try transaction.delete(Store.table("unique"), key)
        },
        Plant(.dependencyMissing, "nobody is to tell") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            let first = try transaction.first(Store.table("dependents"), from: all, prefix: all)
            guard let key = first?.key else { return }
            try transaction.delete(Store.table("dependents"), key)
        },
        Plant(.dependencyDangling, "of a task that is not parked") { (transaction, store) throws(StorageError) in
            var key = Store.key(store.unique)
            key.append(store.pending)
            try transaction.put(Store.table("dependents"), key, flags: 0)
        },
    ]

    private static let numbers = [
        Plant(.counterWrong, "one state's") { (transaction, store) throws(StorageError) in
            var queue = KeyBytes()
            queue.append(UInt32(1))
            try Store.rewrite("queues", queue, transaction) { $0[16] &+= 1 }
        },
        Plant(.kindWrong, "not counted") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            guard let key = try transaction.first(Store.table("kinds"), from: all, prefix: all)?.key else { return }
            try transaction.delete(Store.table("kinds"), key)
        },
        Plant(.nameMissing, "of the only type") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            guard let key = try transaction.first(Store.table("names"), from: all, prefix: all)?.key else { return }
            try transaction.delete(Store.table("names"), key)
        },
        Plant(.queueMissing, "the only one") { (transaction, store) throws(StorageError) in
            var queue = KeyBytes()
            queue.append(UInt32(1))
            try transaction.delete(Store.table("queues"), queue)
        },
        Plant(.counterWrong, "moves of the stream") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            guard let key = try transaction.first(Store.table("moves"), from: all, prefix: all)?.key else { return }
            try transaction.delete(Store.table("moves"), key)
        },
        Plant(.damagedRecord, "a plain key") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            guard let key = try transaction.first(Store.table("texts"), from: all, prefix: all)?.key else { return }
            try transaction.put(Store.table("texts"), key, flags: 9)
        },
        Plant(.timerMissing, "the end of a plain key") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            guard let text = try transaction.first(Store.table("texts"), from: all, prefix: all)?.key else { return }
            var reader = text.reader
            _ = reader.next(UInt32.self)
            let key = try Store.find("timers", reader.next(), at: 9, kind: 10, transaction)
            try transaction.delete(Store.table("timers"), key)
        },
        Plant(.timerDangling, "the end of no plain key") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            guard let key = try transaction.first(Store.table("texts"), from: all, prefix: all)?.key else { return }
            try transaction.delete(Store.table("texts"), key)
        },
        Plant(.counterWrong, "a key that was flushed") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            guard let old = try transaction.first(Store.table("texts"), from: all, prefix: all)?.key else { return }
            var reader = old.reader
            var key = KeyBytes()
            key.append(reader.next(UInt32.self) + 1)
            key.append(reader.next(UInt64.self))
            try transaction.put(Store.table("texts"), key) { $0.uint32(0) }
        },
        Plant(.damagedRecord, "a group's moves") { (transaction, store) throws(StorageError) in
            let all = KeyBytes()
            guard let key = try transaction.first(Store.table("moves"), from: all, prefix: all)?.key else { return }
            try Store.rewrite("moves", key, transaction) { $0[0] &+= 1 }
        },
        Plant(.numbersBehind, "the last move") { (transaction, store) throws(StorageError) in
            var own = KeyBytes()
            own.append(UInt32(0))
            try Store.rewrite("queues", own, version: 4, transaction) { bytes in
                // Behind secret, sequence, token, request group and operation: how many moves there were.
                for index in 40..<48 { bytes[index] = 0 }
            }
        },
        Plant(.numbersBehind, "the last sequence") { (transaction, store) throws(StorageError) in
            var own = KeyBytes()
            own.append(UInt32(0))
            // Behind the secret.
            try Store.rewrite("queues", own, version: 4, transaction) { bytes in
                for index in 8..<16 { bytes[index] = 0 }
            }
        },
    ]
}

@Suite("A check finds where tables disagree, and mends it")
struct AuditTests {
    @Test("a store with tasks in every state has nothing to complain about")
    func sound() throws {
        let fixture = try StoreFixture()
        _ = try PlantedStore(fixture)
        let findings = try fixture.findings()
        #expect(findings == [], "\(findings)")
        fixture.store.close()
        let report = try check(fixture, repair: true)
        #expect(report.count == 0 && report.left == 0 && report.tasks == 11, "\(report)")
    }

    @Test("what is planted is found, and after a repair nothing is left", arguments: Plant.all)
    func planted(plant: Plant) throws {
        let fixture = try StoreFixture()
        let store = try PlantedStore(fixture)
        fixture.store.close()
        let environment = try Environment(directory: fixture.directory, tables: PlantedStore.tables)
        try environment.write { (transaction) throws(StorageError) in try plant.plant(transaction, store) }
        environment.close()

        let found = try check(fixture, repair: false)
        #expect(found.found.contains { $0.kind == plant.kind }, "found \(found.found.map(\.kind.rawValue))")
        #expect(found.left == found.count)
        #expect(try check(fixture, repair: false).count == found.count, "a check without repair changes nothing")
        let mended = try check(fixture, repair: true)
        #expect(mended.count == found.count && mended.left == 0)
        #expect(try check(fixture, repair: false).count == 0)

        try fixture.restart()
        #expect(try fixture.findings() == [])
        let queue = plant.kind == .queueMissing ? "recovered-queue-1" : "q"
        #expect(try fixture.reserve(queue, count: 10).count >= 2, "whatever can be served is served")
        let findings = try fixture.findings()
        #expect(findings == [], "\(findings)")
    }

    @Test("every kind of disagreement is planted")
    func kinds() {
        #expect(Set(Plant.all.map(\.kind)) == Set(Disagreement.Kind.allCases))
    }

    @Test("a directory that a broker holds is left alone")
    func held() throws {
        let fixture = try StoreFixture()
        let error = #expect(throws: StorageError.self) { try check(fixture, repair: false) }
        #expect(error?.kind == .busy)
    }

    @Test("a store whose names or queues have a gap is not opened, and says what to do")
    func gap() throws {
        for name in ["names", "queues"] {
            let fixture = try StoreFixture()
            _ = try fixture.add()
            _ = try fixture.add("another")
            fixture.store.close()
            let environment = try Environment(directory: fixture.directory, tables: PlantedStore.tables)
            try environment.write { (transaction) throws(StorageError) in
                var key = KeyBytes()
                if name == "names" { key.append(UInt8(1)) }
                key.append(UInt32(1))
                try transaction.put(PlantedStore.table(name), key, flags: 9)
            }
            environment.close()
            guard name == "queues" else { continue }
            let error = #expect(throws: StorageError.self) { try fixture.restart() }
            #expect(error?.kind == .damaged && error?.description.contains("martlet check --repair") == true)
            #expect(try check(fixture, repair: true).left == 0)
            try fixture.restart()
        }
    }

    private func check(_ fixture: StoreFixture, repair: Bool) throws -> DataCheck.Report {
        try DataCheck(directory: fixture.directory, now: fixture.now).run(repair: repair)
    }
}

import MartletEngine
import MartletProtocol
import MartletStorage

/// A store with tasks in every state, closed, and the keys of its tables as `docs/storage.md` draws them.
struct PlantedStore: Sendable {
    static let tables = [
        "tasks", "states", "waiting", "timers", "ended", "bodies", "history", "queues", "names", "requests",
        "quarantine", "unique", "workers", "logs", "kinds",
        "operations", "crons", "limits", "permits", "dependencies", "dependents", "breakers", "moves",
        "orders", "batches", "members", "followers", "lines", "turns", "groups",
        "texts",
    ].enumerated().map { Table(index: $0.offset, name: $0.element) }

    static func table(_ name: String) -> Table { tables.first { $0.name == name } ?? tables[0] }

    /// No task has it.
    static let nobody: UInt64 = 77 << 16

    var pending: UInt64 = 0
    var scheduled: UInt64 = 0
    var active: UInt64 = 0
    var completed: UInt64 = 0
    /// Completed, too, but kept otherwise.
    var apart: UInt64 = 0
    var dead: UInt64 = 0
    var large: UInt64 = 0
    var unique: UInt64 = 0

    init(_ fixture: StoreFixture) throws {
        completed = try fixture.add { $0.priority = 10 }.sequence
        dead = try fixture.add { ($0.priority, $0.retries) = (9, 0) }.sequence
        active = try fixture.add { $0.priority = 8 }.sequence
        apart = try fixture.add { ($0.priority, $0.keep) = (7, 5_000) }.sequence
        let tasks = try fixture.reserve(count: 4)
        let result = Bytes((0..<5_000).map { UInt8(truncatingIfNeeded: $0 &* 7_919 >> 3) })
        try fixture.run(.acknowledge(AcknowledgeRequest(id: tasks[0].id, token: tasks[0].token, result: result)))
        try fixture.run(.fail(FailRequest(id: tasks[1].id, token: tasks[1].token, message: [1])))
        try fixture.run(.acknowledge(AcknowledgeRequest(id: tasks[3].id, token: tasks[3].token)))
        pending = try fixture.add { $0.timeToLive = 3_600_000 }.sequence
        scheduled = try fixture.add { $0.due = .after(3_600_000) }.sequence
        large = try fixture.add(payload: result).sequence
        var request = AddRequest(queue: Bytes("q".utf8), type: Bytes("t".utf8), payload: [1])
        request.unique = UniqueKey(Bytes("key".utf8))
        guard case .id(let id) = try fixture.run(.add(request))[0] else { throw StoreFixture.Unexpected() }
        unique = id.sequence
        let text = SetTextRequest(key: Bytes("key".utf8), value: [1], life: .span(3_600_000))
        try fixture.run(.setText(text))
        request.unique = nil
        request.after = Dependencies([id])
        request.options.order = Bytes("key".utf8)
        try fixture.run(.add(request))
        try Self.addBatch(fixture)
        try Self.addGroup(fixture)
    }

    static func key(_ sequence: UInt64) -> KeyBytes {
        var key = KeyBytes()
        key.append(sequence)
        return key
    }

    static func state(_ phase: UInt8, _ sequence: UInt64) -> KeyBytes {
        var key = KeyBytes()
        key.append(phase)
        key.append(sequence)
        return key
    }

    static func waiting(_ sequence: UInt64, inverse: UInt8 = 5, due: Int64) -> KeyBytes {
        var key = KeyBytes()
        key.append(UInt32(1))
        key.append(inverse)
        key.append(UInt16(0))
        key.append(UInt8(0))
        key.append(due)
        key.append(sequence)
        return key
    }

    /// The first key of a table in which the task's sequence stands at `offset`.
    static func find(
        _ name: String, _ sequence: UInt64, at offset: Int, kind: UInt8? = nil,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> KeyBytes {
        let wanted = key(sequence).bytes
        var found: KeyBytes?
        try transaction.scan(table(name), from: KeyBytes(), prefix: KeyBytes()) { key, _ in
            let isKind = kind.map { key.bytes[8] == $0 } ?? true
            if key.bytes.count >= offset + 8, Array(key.bytes[offset..<offset + 8]) == wanted, isKind { found = key }
            return found == nil
        }
        guard let found else { throw StorageError(.failed, "the test finds nothing in \(name)") }
        return found
    }

    /// Stores a record again, changed.
    static func rewrite(
        _ name: String, _ key: KeyBytes, to other: KeyBytes? = nil, version: UInt8 = 1,
        _ transaction: borrowing Transaction<Writing>,
        _ change: (inout Bytes) -> Void
    ) throws(StorageError) {
        guard var bytes = try transaction.read(table(name), key, { $0.rest() }) else {
            throw StorageError(.failed, "the test finds no record in \(name)")
        }
        change(&bytes)
        let changed = bytes
        try transaction.put(table(name), other ?? key, version: version) { $0.rest(changed) }
    }
}

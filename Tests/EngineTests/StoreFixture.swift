import Foundation
import MartletEngine
import MartletProtocol
import MartletStorage

// Foundation has an Operation, too.
typealias Operation = MartletEngine.Operation

/// A store in a directory of its own, with a clock that only the test moves.
final class StoreFixture {
    let directory: String
    let faults = FaultInjector()
    let effects = EffectLog()
    var store: TaskStore
    var now: Timestamp = 1_800_000_000_000

    init() throws {
        directory = NSTemporaryDirectory() + "/martlet-engine-\(UUID().uuidString)"
        let options = TaskStoreOptions(faults: faults, effects: effects)
        store = try TaskStore(directory: directory, options: options, now: now, seed: 7)
        store.withEngine { $0.keepMoves(10_000) }
    }

    deinit {
        store.close()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Opens the store again, as after a crash: nothing but the disk is left.
    func restart() throws {
        store.abandon()
        let options = TaskStoreOptions(faults: faults, effects: effects)
        store = try TaskStore(directory: directory, options: options, now: now, seed: 7)
        store.withEngine { $0.keepMoves(10_000) }
    }

    /// One group of operations.
    @discardableResult
    func run(_ operations: Operation...) throws(StorageError) -> [Answer] {
        let now = now
        return try store.write(now: now) { (engine, transaction) throws(StorageError) in
            var answers: [Answer] = []
            for operation in operations {
                answers.append(try engine.apply(operation, now: now, in: transaction))
            }
            try engine.serveWaiting(now: now, in: transaction) { _, answer in answers.append(answer) }
            return answers
        }
    }

    func add(_ queue: String = "q", payload: Bytes = [1], _ change: (inout TaskOptions) -> Void = { _ in }) throws
        -> TaskID
    {
        var options = TaskOptions()
        change(&options)
        let request = AddRequest(queue: Bytes(queue.utf8), type: Bytes("t".utf8), payload: payload, options: options)
        guard case .id(let id) = try run(.add(request))[0] else { throw Unexpected() }
        return id
    }

    func reserve(_ queue: String = "q", count: Int = 1) throws -> [HandOut] {
        let request = ReserveRequest(queues: [Bytes(queue.utf8)], count: count)
        guard case .handedOut(let tasks) = try run(.reserve(request))[0] else { throw Unexpected() }
        return tasks
    }

    func advance(to instant: Timestamp) throws {
        now = instant
        while try advanceOnce() > 0 {}
    }

    /// One group of bookkeeping; how much it did.
    func advanceOnce() throws(StorageError) -> Int {
        let now = now
        return try store.write(now: now) { (engine, transaction) throws(StorageError) in
            try engine.advance(to: now, limit: 100, in: transaction)
        }
    }

    func findings() throws -> [String] {
        let now = now
        return try store.read { (engine, transaction) throws(StorageError) in
            try engine.validate(now: now, in: transaction)
        }
    }

    func view(_ id: TaskID, history: Bool = false) throws -> TaskView? {
        guard case .task(let view) = try run(.get(GetRequest(id: id, history: history)))[0] else { return nil }
        return view
    }

    struct Unexpected: Error {}
}

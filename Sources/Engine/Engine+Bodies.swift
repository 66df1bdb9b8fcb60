import MartletProtocol
import MartletStorage

extension Engine {
    /// Stores a large value: `compressed u8 │ size u32 │ bytes`.
    func storeBody(
        _ body: Bytes, _ kind: BodyKind, of sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let packed = Deflate.compress(body)
        try transaction.put(Tables.bodies, kind.key(sequence)) {
            $0.uint8(packed == nil ? 0 : 1)
            $0.uint32(UInt32(body.count))
            $0.rest(packed ?? body)
        }
    }

    func body<A>(
        _ kind: BodyKind, of sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bytes? {
        let key = kind.key(sequence)
        let stored = try transaction.read(Tables.bodies, key) {
            (packed: $0.uint8() == 1, size: Int($0.uint32()), bytes: $0.rest())
        }
        guard let stored else { return nil }
        guard stored.packed else { return stored.bytes }
        if let body = Deflate.expand(stored.bytes, size: stored.size) { return body }
        throw StorageError(.damaged, "a stored body does not expand", table: Tables.bodies, key: key)
    }

    /// A task's record with its payload, wherever that lies.
    func taskWithPayload<A>(
        _ sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> (task: TaskRecord, payload: Bytes)? {
        let found = try transaction.read(Tables.tasks, taskKey(sequence)) { record in
            let task = TaskRecord(from: &record, sequence: sequence)
            return (task: task, payload: task.hasBody ? [] : record.rest())
        }
        guard let found, found.task.hasBody else { return found }
        guard let payload = try body(.payload, of: sequence, transaction) else {
            throw StorageError(
                .damaged, "the payload of a task is missing", table: Tables.bodies, key: BodyKind.payload.key(sequence))
        }
        return (found.task, payload)
    }

    func task<A>(_ sequence: UInt64, _ transaction: borrowing Transaction<A>) throws(StorageError) -> TaskRecord? {
        try transaction.read(Tables.tasks, taskKey(sequence)) { TaskRecord(from: &$0, sequence: sequence) }
    }

    func state<A>(
        _ sequence: UInt64, _ phase: Phase, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> StateRecord? {
        try transaction.read(Tables.states, phase.key(sequence)) { StateRecord(from: &$0) }
    }
}

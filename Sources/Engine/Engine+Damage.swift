import MartletProtocol
import MartletStorage

extension Engine {
    /// The task of a candidate with its payload; `nil` if a record is damaged: then the task is put aside.
    mutating func readable(
        _ candidate: Candidate, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> (task: TaskRecord, payload: Bytes)? {
        do throws(StorageError) {
            if candidate.flags & WaitingKey.Flag.state != 0 {
                _ = try state(candidate.key.sequence, .waiting, transaction)
            }
            if let found = try taskWithPayload(candidate.key.sequence, transaction) { return found }
        } catch {
            guard error.kind == .damaged, error.key != nil else { throw error }
        }
        try putAside(candidate.key, candidate.flags, now, transaction)
        return nil
    }

    /// A task whose records cannot be read leaves the waiting index; what is stored of it is kept in `quarantine`.
    private mutating func putAside(
        _ key: WaitingKey, _ flags: UInt8, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.delete(Tables.waiting, key.bytes)
        var was = TaskState.pending
        if key.range.lane == .parked {
            was = .blocked
            try forgetDependencies(of: key.sequence, transaction)
        }
        if flags & WaitingKey.Flag.timer != 0 {
            let timer = TimerKey(at: key.due, kind: .due, sequence: key.sequence, queue: key.queue)
            if try transaction.delete(Tables.timers, timer.bytes) { was = .scheduled }
        }
        change(key.queue) {
            $0.countWaiting(key.range, -1)
            $0.count(was, -1)
        }
        if key.limits != 0 { touched.insert(key.queue) }
        try transaction.quarantine(Tables.tasks, taskKey(key.sequence), in: Tables.quarantine)
        try transaction.quarantine(Tables.states, Phase.waiting.key(key.sequence), in: Tables.quarantine)
        try transaction.quarantine(Tables.bodies, BodyKind.payload.key(key.sequence), in: Tables.quarantine)
        try dropFromOrder(key.sequence, of: key.queue, at: now, transaction)
        tellWatchers(of: key.sequence)
        damaged = (damaged.count + 1, broker.id(key.sequence).description)
    }

    /// The same for an ended task.
    mutating func putAside(_ key: EndedKey, _ transaction: borrowing Transaction<Writing>) throws(StorageError) {
        try transaction.delete(Tables.ended, key.bytes)
        change(key.queue) { $0.count(key.state, -1) }
        try transaction.quarantine(Tables.tasks, taskKey(key.sequence), in: Tables.quarantine)
        try transaction.quarantine(Tables.states, Phase.ended.key(key.sequence), in: Tables.quarantine)
        damaged = (damaged.count + 1, broker.id(key.sequence).description)
    }

    /// Why there is no record of a task: it was put aside, or there is no such task.
    func missing<A>(
        _ sequence: UInt64, _ id: TaskID?, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> CommandError {
        var name = KeyBytes()
        name.append(UInt8(Tables.tasks.index))
        name.append(sequence)
        guard let id, try transaction.contains(Tables.quarantine, name) else { return unknownTask(id) }
        return Self.damagedTask(id)
    }

    static func damagedTask(_ id: TaskID) -> CommandError {
        CommandError(
            .error, "task \(id) is damaged on disk (checksum): its record is put aside and everything else is served")
    }
}

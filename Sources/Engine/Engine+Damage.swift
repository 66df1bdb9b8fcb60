public import MartletProtocol
public import MartletStorage

extension Engine {
    /// A record that could not be read is put aside, so that nothing stumbles over it again: kept in `quarantine`,
    /// named in `damaged`. If it said what became of a task, the task's own record goes too: nobody knows its state.
    ///
    /// In a group of its own, after the one that met it was undone. What meets the task later takes it for gone.
    /// - Returns: whether it is out of the way now, so that it makes sense to try again what met it.
    public mutating func putAside(
        _ damage: StorageError, at now: Timestamp, in transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        guard damage.kind == .damaged, let table = damage.table, let key = damage.key, !Self.inMemory.contains(table)
        else { return false }
        let sequence = Self.task(of: key, in: table)
        if table == Tables.states, key.begins(with: Phase.active.prefix), let sequence {
            try forgetActive(sequence, at: now, transaction)
        }
        if table == Tables.dependencies, let sequence {
            return try OpenDependencies.rebuild(of: sequence, transaction)
        }
        guard try transaction.quarantine(table, key, in: Tables.quarantine) else { return false }
        guard let sequence else { return true }
        if table == Tables.states { try transaction.quarantine(Tables.tasks, taskKey(sequence), in: Tables.quarantine) }
        tellWatchers(of: sequence)
        damaged = (damaged.count + 1, broker.id(sequence).description)
        return true
    }

    /// What is read at the start alone and written from memory: other records lead to these by their numbers.
    private static let inMemory: Set<Table> = [
        Tables.queues, Tables.names, Tables.limits, Tables.limitSets, Tables.breakers, Tables.crons, Tables.workers,
        Tables.operations, Tables.requests,
    ]

    /// The task of which a record tells.
    private static func task(of key: KeyBytes, in table: Table) -> UInt64? {
        var reader = key.reader
        switch table {
        case Tables.tasks, Tables.bodies, Tables.history, Tables.logs, Tables.dependencies: return reader.next()
        case Tables.states:
            _ = reader.next(UInt8.self)
            return reader.next()
        default: return nil
        }
    }

    /// A task in hand whose state cannot be read is in nobody's hand any more.
    private mutating func forgetActive(
        _ sequence: UInt64, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var task: TaskRecord?
        do throws(StorageError) {
            task = try self.task(sequence, transaction)
        } catch {
            guard error.kind == .damaged else { throw error }
        }
        let lease = removeLease(sequence)
        guard let queue = lease?.queue ?? task?.queue else { return }
        change(queue) { $0.count(.active, -1) }
        try freeSlot(of: lease, transaction)
        try dropFromOrder(sequence, of: queue, at: now, transaction)
    }

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
            if try transaction.delete(Tables.timers, key.dueTimer.bytes) { was = .scheduled }
        }
        change(key.queue) {
            $0.countWaiting(key.range, -1)
            $0.count(was, -1)
            // Its group is not known: the line counts it until its place there is met.
            if key.limits > 0, was == .pending { $0.dueCounts.count(key.limits, due: -1) }
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

public import MartletProtocol
public import MartletStorage

/// Operations on many tasks run in slices, each in a group: small enough that nobody waits long.
extension Engine {
    /// Entries a slice looks at for each task it may change.
    private static let looksPerTask = 20

    /// Runs one slice of the operation whose turn it is. Call it when nothing else is due.
    /// - Returns: its number; `nil`: none may go on now.
    @discardableResult
    public mutating func runOperation(
        now: Timestamp, in transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> UInt64? {
        guard var operation = operations.first(at: now) else { return nil }
        operations.turns += 1
        operation.pace.turn = operations.turns
        try slice(&operation, now, transaction)
        if operation.state.isOver {
            try end(operation, operation.state, now, transaction)
        } else {
            try store(operation, transaction)
        }
        return operation.number
    }

    /// Counts, or changes, the next tasks of an operation.
    mutating func slice(
        _ operation: inout BulkOperation, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        if operation.filter.state == .pending || operation.filter.state == .blocked {
            try settleLines(of: operation.queue, now, transaction)
        }
        if operation.state == .counting { return try countSlice(&operation, now, transaction) }
        let allowed = min(Int64(operationSlice), operation.pace.allowance(operation.rate, now), operation.left)
        let found = try look(operation, most: allowed, now, transaction)
        let before = operation.handled
        for entry in found.entries {
            if try handle(entry, operation, now, transaction) { operation.done += 1 } else { operation.failed += 1 }
        }
        if !operation.verb.isInBackground { operation.matched = operation.handled }
        operation.pace.spend(operation.handled - before, operation.rate, now)
        operation.place = found.last
        if found.isEnd || operation.left == 0 { try finishPass(&operation, now, transaction) }
    }

    private mutating func countSlice(
        _ operation: inout BulkOperation, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let most = operation.filter.most ?? .max
        let found = try look(operation, most: most - operation.matched, now, transaction)
        operation.matched += Int64(found.entries.count)
        operation.place = found.last
        operation.pace.next = now
        guard found.isEnd || operation.matched == most else { return }
        operation.place = KeyBytes()
        if operation.verb == .count {
            (operation.state, operation.ended) = (.done, now)
        } else {
            operation.state = .running
        }
    }

    /// The end of the index was reached.
    private mutating func finishPass(
        _ operation: inout BulkOperation, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        if operation.verb == .remove {
            operation.place = KeyBytes()
            operation.filter.state = Self.nextToRemove(after: operation.filter.state)
            let queue = queues[Int(operation.queue) - 1]
            guard TaskState.allCases.allSatisfy({ queue[$0] == 0 }) else {
                guard operation.filter.state == .pending else { return }
                defer { operation.handledBefore = operation.handled }
                // Nothing that can be found is left of what was counted: the number is not used again.
                guard operation.handled == operation.handledBefore else { return }
                return (operation.state, operation.ended) = (.done, now)
            }
            guard try freeUniqueKeys(of: operation.queue, most: operationSlice, transaction) else { return }
            try closeKeptLines(operation.queue, transaction)
            replaceQueue(operation.queue, name: [])
            freeQueues.append(operation.queue)
        }
        (operation.state, operation.ended) = (.done, now)
    }

    /// A deleted queue's tasks are removed state by state, again and again until there are none.
    private static func nextToRemove(after state: TaskState) -> TaskState {
        switch state {
        case .pending: .completed
        case .completed: .dead
        case .dead: .cancelled
        case .cancelled: .expired
        default: .pending
        }
    }

    // MARK: Which tasks

    /// The next entries of the operation's index that match, the entry that was looked at last, and whether it was the
    /// last of all.
    private func look(
        _ operation: BulkOperation, most: Int64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> (entries: [(key: KeyBytes, flags: UInt8)], last: KeyBytes, isEnd: Bool) {
        guard most > 0 else { return ([], operation.place, false) }
        var entries: [(key: KeyBytes, flags: UInt8)] = []
        var last = operation.place
        var isEnd = true
        var looks = 0
        let closed = try closedLines(operation, now, transaction)
        let from = last.count > 0 ? last : operation.prefix
        try transaction.scan(operation.table, from: from, prefix: operation.prefix) {
            (key, flags) throws(StorageError) -> Bool in
            if key == operation.place { return true }
            guard looks < operationSlice * Self.looksPerTask, Int64(entries.count) < most else {
                isEnd = false
                return false
            }
            looks += 1
            last = key
            // The records of those in hand lie in the table that is being walked: they are read behind it.
            let isLater = operation.filter.state == .active
            let isOurs = isLater ? true : try matches(key, flags, operation, closed, now, transaction)
            if isOurs { entries.append((key, flags)) }
            return true
        }
        guard operation.filter.state == .active else { return (entries, last, isEnd) }
        var matching: [(key: KeyBytes, flags: UInt8)] = []
        for entry in entries {
            if try matches(entry.key, entry.flags, operation, closed, now, transaction) { matching.append(entry) }
        }
        return (matching, last, isEnd)
    }

    /// The lines of the operation's queue that wait for tokens now: they lie in the table that is being walked.
    private func closedLines(
        _ operation: BulkOperation, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Set<UInt16> {
        guard operation.filter.state == .pending || operation.filter.state == .blocked else { return [] }
        var closed: Set<UInt16> = []
        for limits in limitLines.sets(of: operation.queue)
        where try holdUp(ofLine: limits, operation.queue, now, transaction) != nil { closed.insert(limits) }
        return closed
    }

    private func matches(
        _ bytes: KeyBytes, _ flags: UInt8, _ operation: BulkOperation, _ closed: Set<UInt16>, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        if operation.verb == .remove { return true }
        let sequence = operation.sequence(bytes)
        guard sequence < operation.before else { return false }
        switch operation.filter.state {
        case .active:
            guard leases[sequence]?.queue == operation.queue else { return false }
            return try matches(sequence, .active, operation, transaction)
        case .pending, .scheduled, .blocked:
            let key = WaitingKey(bytes)
            guard try isInState(key, operation, closed, now, transaction) else { return false }
            if let target = operation.target, key.isAt(target) { return false }
            let hasState = flags & WaitingKey.Flag.state != 0
            return try matches(sequence, hasState ? .waiting : nil, operation, transaction)
        case .completed, .dead, .cancelled, .expired:
            guard let key = EndedKey(bytes), key.at <= operation.started else { return false }
            return try matches(sequence, .ended, operation, transaction)
        }
    }

    /// Whether a waiting task is in the state that the filter says.
    private func isInState(
        _ key: WaitingKey, _ operation: BulkOperation, _ closed: Set<UInt16>, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        let state = operation.filter.state
        if key.range.lane == .parked { return state == .blocked }
        guard state != .scheduled else { return key.due > now }
        guard key.due <= operation.started else { return false }
        let isHeldUp = closed.contains(key.limits) ? true : try isOfFullGroup(key, transaction)
        return isHeldUp == (state == .blocked)
    }

    /// Whether a task is as the filter says. A record that cannot be read matches no filter that asks for it.
    private func matches(
        _ sequence: UInt64, _ phase: Phase?, _ operation: BulkOperation, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        let filter = operation.filter
        guard !filter.isBroad else { return true }
        do throws(StorageError) {
            var state: StateRecord?
            if let phase { state = try self.state(sequence, phase, transaction) }
            if let kind = filter.kind, state?.errorKind != kind { return false }
            if let type = filter.type, let state { guard types.name(state.type) == type else { return false } }
            guard filter.tag != nil || filter.age != nil || state == nil else { return true }
            guard let task = try task(sequence, transaction) else { return false }
            return filter.type.map { types.name(task.type) == $0 } ?? true
                && filter.tag.map(task.tags.contains) ?? true
                && filter.age.map { task.created < operation.started - $0 } ?? true
        } catch {
            guard error.kind == .damaged else { throw error }
            return false
        }
    }

    // MARK: What is done to them

    /// Does what is to be done to one task; `false`: it could not be.
    private mutating func handle(
        _ entry: (key: KeyBytes, flags: UInt8), _ operation: BulkOperation, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        let sequence = operation.sequence(entry.key)
        do throws(StorageError) {
            switch operation.verb {
            case .replay: return try revive(sequence, reset: true, now, transaction) == nil
            case .retry: return try revive(sequence, reset: false, now, transaction) == nil
            case .cancel: return try cancel(sequence, now, transaction)
            case .move: return try move(sequence, to: operation.target, now, transaction)
            case .count: break
            case .purge, .remove, .delete:
                if operation.filter.state.isEnded {
                    if try removeEnded(sequence, at: now, transaction) { return true }
                    if let key = EndedKey(entry.key) { try putAside(key, transaction) }
                    return false
                } else {
                    return try removeFound(entry, now, transaction)
                }
            }
            return true
        } catch {
            guard error.kind == .damaged, error.key != nil else { throw error }
            if operation.verb.removes, let key = EndedKey(entry.key) { try putAside(key, transaction) }
            return false
        }
    }

    /// Removes a waiting task that was found a moment ago; what was removed before it may have moved it on.
    private mutating func removeFound(
        _ entry: (key: KeyBytes, flags: UInt8), _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        let key = WaitingKey(entry.key)
        if try transaction.first(Tables.waiting, from: entry.key, prefix: entry.key) != nil {
            try removeWaiting(key, entry.flags, now, transaction)
            return true
        }
        guard let task = try task(key.sequence, transaction),
            let (place, flags) = try waitingPlace(of: key.sequence, task, transaction)
        else { return false }
        try removeWaiting(place, flags, now, transaction)
        return true
    }

    private mutating func cancel(
        _ sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        switch try find(broker.id(sequence), now, transaction) {
        case .nowhere, .ended: return false
        case .waiting(let key, let flags, let task): try cancelWaiting(key, flags, task, nil, now, transaction)
        case .active: try cancelActive(sequence, nil, now, transaction)
        }
        return true
    }

    private mutating func move(
        _ sequence: UInt64, to target: BulkTarget?, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        guard let target else { return false }
        let move = MoveRequest(
            id: broker.id(sequence), priority: target.priority, runAt: target.runAt, queue: target.queue)
        if case .state = try self.move(move, now, transaction) { return true }
        return false
    }

    /// Everything about a waiting task goes; if it cannot be read, it is put aside.
    mutating func removeWaiting(
        _ key: WaitingKey, _ flags: UInt8, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let candidate = Candidate(key, flags)
        guard let (task, _) = try readable(candidate, now, transaction) else { return }
        let state = try withdraw(key, flags, task, transaction)
        change(key.queue) { $0.count(state.state, -1) }
        if let expiresAt = state.expiresAt {
            let timer = TimerKey(at: expiresAt, kind: .timeToLive, sequence: key.sequence, queue: key.queue)
            try transaction.delete(Tables.timers, timer.bytes)
        }
        if state.isTied { try leaveOrder(key.sequence, task, at: now, transaction) }
        try leaveBatch(key.sequence, task.batch, .cancelled, at: now, transaction)
        try tellDependents(of: key.sequence, .cancelled, isGone: true, at: now, transaction)
        try remove(key.sequence, state, transaction)
    }
}

extension WaitingKey {
    /// Whether the task is where an operation would move it.
    fileprivate func isAt(_ target: BulkTarget) -> Bool {
        target.queue == nil && target.priority.map { $0 == range.priority } ?? true
            && target.runAt.map { $0 == due } ?? true
    }
}

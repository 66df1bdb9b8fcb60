import MartletProtocol
import MartletStorage

/// Where a task is that somebody wants to manage, after what was due for it has happened.
enum Whereabouts {
    case nowhere(CommandError)
    case waiting(WaitingKey, UInt8, TaskRecord)
    case active
    case ended(TaskState)
}

/// TASK.CANCEL and TASK.DEL.
extension Engine {
    mutating func cancel(
        _ request: CancelRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        let reason = request.reason.map { Self.cut($0, Limits.cancelReason) }
        switch try find(request.id, now, transaction) {
        case .nowhere(let refusal): return .refused(refusal)
        case .ended(let state): return .refused(Self.badState(request.id, state, "it has ended already"))
        case .waiting(let key, let flags, let task):
            try cancelWaiting(key, flags, task, reason, now, transaction)
            return remember(request.request, .state(.cancelled))
        case .active:
            if let id = request.id { try cancelActive(id.sequence, reason, now, transaction) }
            return remember(request.request, .state(.active))
        }
    }

    /// Where a task is now.
    mutating func find(
        _ id: TaskID?, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Whereabouts {
        guard let sequence = sequence(id), let id else { return .nowhere(unknownTask(id)) }
        do throws(StorageError) {
            try settle(sequence, now, transaction)
            if leases[sequence] != nil { return .active }
            guard let task = try task(sequence, transaction), !isGone(task.queue) else {
                return .nowhere(try missing(sequence, id, transaction))
            }
            if let ended = try state(sequence, .ended, transaction) { return .ended(ended.state) }
            guard let place = try waitingPlace(of: sequence, task, transaction) else {
                return .nowhere(unknownTask(id))
            }
            return .waiting(place.key, place.flags, task)
        } catch {
            guard error.kind == .damaged else { throw error }
            return .nowhere(Self.damagedTask(id))
        }
    }

    static func badState(_ id: TaskID?, _ state: TaskState, _ advice: String) -> CommandError {
        CommandError(.badState, "task \(id.map(\.description) ?? "") is \(state.name); \(advice)")
    }

    /// Ends a waiting task as CANCELLED.
    mutating func cancelWaiting(
        _ key: WaitingKey, _ flags: UInt8, _ task: TaskRecord, _ reason: Bytes?, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var state = try withdraw(key, flags, task, transaction)
        let was = state.state
        state.state = count(key.queue, was, .cancel, of: key.sequence, type: task.type)
        var row = HistoryRow(.cancel, of: state, from: Self.shown(was, state, now), to: .cancelled, at: now)
        row.message = reason
        try note(row, key.sequence, &state, transaction)
        try end(key.sequence, state, at: now, transaction)
    }

    /// The counters still say SCHEDULED where the bookkeeping is behind; the task itself was due.
    static func shown(_ was: TaskState, _ state: StateRecord, _ now: Timestamp) -> TaskState {
        was == .scheduled && state.runAt <= now ? .pending : was
    }

    /// A task in hand is only asked to end; asking once is enough.
    mutating func cancelActive(
        _ sequence: UInt64, _ reason: Bytes?, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard leases[sequence]?.cancel == false, var state = try state(sequence, .active, transaction) else { return }
        var row = HistoryRow(.cancel, of: state, from: .active, to: .active, at: now)
        row.message = reason
        try note(row, sequence, &state, transaction)
        try askToCancel(sequence, state, transaction)
    }

    /// Cancels a task whose UNIQUE key another one takes over; `false`: it does not wait, and keeps the key.
    mutating func replace(
        _ sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        guard case .waiting(let key, let flags, let task) = try find(broker.id(sequence), now, transaction) else {
            return false
        }
        try dropUniqueKey(of: sequence, task, transaction)
        try cancelWaiting(key, flags, task, Bytes("a new task took its UNIQUE key".utf8), now, transaction)
        return true
    }

    /// The state of a task as anybody is told it, and when it is due; `nil`: its record is gone.
    func whereabouts<A>(
        of sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> (TaskState?, Timestamp?) {
        let request = GetRequest(id: broker.id(sequence))
        guard case .task(let view) = try answer(.get(request), now: now, in: transaction) else { return (nil, nil) }
        return (view.state, view.runAt)
    }
}

extension Engine {
    mutating func delete(
        _ request: DeleteRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        for id in request.ids {
            guard case .active = try find(id, now, transaction) else { continue }
            return .refused(Self.badState(id, .active, "cancel it, or wait for its end; none of them was deleted"))
        }
        var deleted: Int64 = 0
        for id in request.ids where try delete(id, now, transaction) { deleted += 1 }
        return remember(request.request, .count(deleted))
    }

    /// Everything about a task that is not in hand goes; `false`: there is no such task.
    mutating func delete(
        _ id: TaskID?, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        switch try find(id, now, transaction) {
        case .nowhere, .active: return false
        case .ended:
            if let id { try removeEnded(id.sequence, at: now, transaction) }
        case .waiting(let key, let flags, _): try removeWaiting(key, flags, now, transaction)
        }
        return true
    }
}

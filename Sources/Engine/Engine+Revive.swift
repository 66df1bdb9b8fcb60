import MartletProtocol
import MartletStorage

/// TASK.RETRY: a task that ended, or that waits for its time, is to run again now.
extension Engine {
    mutating func retry(
        _ request: RetryRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let sequence = sequence(request.id) else { return .refused(unknownTask(request.id)) }
        try settle(sequence, now, transaction)
        if let refusal = try revive(sequence, reset: request.reset, now, transaction) { return .refused(refusal) }
        let isParked = try state(sequence, .waiting, transaction)?.state == .blocked
        let state = isParked ? .blocked : try shown(.pending, sequence, now, transaction)
        return remember(request.request, .state(state))
    }

    /// Puts a task back into the line, due now; a refusal if it is not in a state that allows it.
    mutating func revive(
        _ sequence: UInt64, reset: Bool, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        guard let task = try task(sequence, transaction), !isGone(task.queue) else {
            return try missing(sequence, broker.id(sequence), transaction)
        }
        if leases[sequence] != nil { return notRetried(sequence, .active) }
        let phase = try state(sequence, .ended, transaction) == nil ? Phase.waiting : .ended
        if phase == .waiting {
            let place = try waitingPlace(of: sequence, task, transaction)
            if place?.key.range.lane == .parked { return notRetried(sequence, .blocked) }
            guard place.map({ $0.key.due > now }) ?? false else {
                return notRetried(sequence, try shown(.pending, sequence, now, transaction))
            }
        }
        if let holder = try takeUniqueKey(of: sequence, task, in: task.queue, now, transaction) {
            return duplicate(of: holder)
        }
        if let ended = try transaction.take(Tables.states, Phase.ended.key(sequence), { StateRecord(from: &$0) }) {
            try reviveEnded(sequence, task, ended, reset, now, transaction)
            return nil
        }
        // Looking after the key's last holder may have moved the task on.
        guard let (key, flags) = try waitingPlace(of: sequence, task, transaction) else {
            try dropUniqueKey(of: sequence, task, transaction)
            return unknownTask(broker.id(sequence))
        }
        var state = try withdraw(key, flags, task, transaction)
        let from = state.state
        state.state = count(state.queue, from, .revive, of: sequence, type: task.type)
        try waitAnew(sequence, task, &state, from: from, reset: reset, now, transaction)
        return nil
    }

    private func notRetried(_ sequence: UInt64, _ state: TaskState) -> CommandError {
        CommandError(
            .badState, "task \(broker.id(sequence)) is \(state.name); only what ended or is SCHEDULED is retried")
    }

    private mutating func reviveEnded(
        _ sequence: UInt64, _ task: TaskRecord, _ ended: StateRecord, _ reset: Bool, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try leaveEnded(sequence, ended, transaction)
        var state = ended
        if ended.state == .completed { try noteCompletion(sequence, &state, transaction) }
        if ended.isTied { try rejoinBatch(sequence, task, from: ended.state, transaction) }
        if state.resultSize != nil, state.result == nil {
            try transaction.delete(Tables.bodies, BodyKind.result.key(sequence))
        }
        (state.result, state.resultSize, state.endedAt, state.hasRetentionTimer) = (nil, nil, nil, false)
        state.state = count(state.queue, ended.state, .revive, of: sequence, type: task.type)
        try rejoinOrder(sequence, task, at: now, transaction)
        try waitAnew(sequence, task, &state, from: ended.state, reset: reset, now, transaction)
    }

    /// Being acknowledged is told by the record of a completed task; a task that goes on needs a row for it.
    private func noteCompletion(
        _ sequence: UInt64, _ state: inout StateRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let row = HistoryRow(.acknowledge, of: state, from: .active, to: .completed, at: state.endedAt ?? 0)
        try note(row, sequence, &state, transaction)
    }

    /// The way back into the line: a new due time, a new time to live, and at least one more attempt.
    private mutating func waitAnew(
        _ sequence: UInt64, _ task: TaskRecord, _ state: inout StateRecord, from: TaskState, reset: Bool,
        _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        if let expiresAt = state.expiresAt, !from.isEnded {
            let timer = TimerKey(at: expiresAt, kind: .timeToLive, sequence: sequence, queue: state.queue)
            try transaction.delete(Tables.timers, timer.bytes)
        }
        state.runAt = now
        state.expiresAt = task.timeToLive.map { min(now + $0, Limits.latestTime) }
        if reset { state.attempt = 0 } else { state.retries = max(state.retries, state.attempt) }
        let row = HistoryRow(.retry, of: state, from: from, to: .pending, at: now)
        try note(row, sequence, &state, transaction)
        try setTimer(state.expiresAt, .timeToLive, sequence, state.queue, transaction)
        try waitAgain(sequence, state, isLater: false, at: now, transaction)
    }

    /// An ended task, whose state record is gone already, leaves the other places of ended tasks; its counters are the
    /// caller's business.
    mutating func leaveEnded(
        _ sequence: UInt64, _ state: StateRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let at = state.endedAt ?? 0
        let entry = EndedKey(queue: state.queue, state: state.state, at: at, sequence: sequence)
        try transaction.delete(Tables.ended, entry.bytes)
        if state.state == .dead { try countKind(of: state, -1, at: at, transaction) }
        guard let until = state.keepUntil else { return }
        guard state.hasRetentionTimer else { return try leaveKeptLine(sequence, state, transaction) }
        let timer = TimerKey(at: until, kind: .retention, sequence: sequence, queue: state.queue)
        try transaction.delete(Tables.timers, timer.bytes)
    }

    /// When the time to live of a waiting task ends: a retry restarts it.
    func expiry<A>(
        of sequence: UInt64, _ task: TaskRecord, hasState: Bool = true, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Timestamp? {
        guard hasState, task.timeToLive != nil else { return task.expiresAt }
        guard let state = try state(sequence, .waiting, transaction) else { return task.expiresAt }
        return state.expiresAt
    }
}

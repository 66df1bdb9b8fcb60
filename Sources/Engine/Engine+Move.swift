import MartletProtocol
import MartletStorage

/// TASK.MOVE: a waiting task goes to another place.
extension Engine {
    mutating func move(
        _ request: MoveRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        let advice = "only a task that waits can be moved"
        if let name = request.queue { try bringUpToDate(name, now, transaction) }
        switch try find(request.id, now, transaction) {
        case .nowhere(let refusal): return .refused(refusal)
        case .ended(let state): return .refused(Self.badState(request.id, state, advice))
        case .active: return .refused(Self.badState(request.id, .active, advice))
        case .waiting(let key, _, _) where key.range.lane == .parked:
            let advice = "it waits for other tasks; move it when they have ended"
            return .refused(Self.badState(request.id, .blocked, advice))
        case .waiting(let key, let flags, let task):
            var task = task
            if let refusal = try changeQueue(of: key.sequence, &task, to: request.queue, now, transaction) {
                return .refused(refusal)
            }
            let state = try move(key, flags, task, request, now, transaction)
            return remember(request.request, .state(try shown(state, key.sequence, now, transaction)))
        }
    }

    /// Puts the task's record and its UNIQUE key into another queue; a refusal if that queue takes nothing now, or
    /// another task has the key there.
    private mutating func changeQueue(
        of sequence: UInt64, _ task: inout TaskRecord, to name: Bytes?, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        guard let name, name != queueName(task.queue) else { return nil }
        if let refusal = refusal(ofAddingTo: name, now) { return refusal }
        if let unique = task.unique, let number = queueNumbers[name],
            let holder = try holder(of: unique.key, in: number, now, transaction)
        {
            return duplicate(of: holder)
        }
        if let refusal = refusal(ofGrowing: name, by: 1) { return refusal }
        guard let (_, payload) = try taskWithPayload(sequence, transaction) else { return nil }
        try leaveOrder(sequence, task, at: now, transaction)
        try dropUniqueKey(of: sequence, task, transaction)
        task.queue = try queueNumber(name, transaction)
        let moved = task
        try transaction.put(Tables.tasks, taskKey(sequence)) {
            moved.write(to: &$0, sequence: sequence, payload: payload)
        }
        _ = try takeUniqueKey(of: sequence, moved, in: moved.queue, now, transaction)
        try rejoinOrder(sequence, moved, at: now, transaction)
        return nil
    }

    /// Takes the task out of the place it waits in and puts it where the request says.
    private mutating func move(
        _ key: WaitingKey, _ flags: UInt8, _ task: TaskRecord, _ request: MoveRequest, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> TaskState {
        var state = try withdraw(key, flags, task, transaction)
        let was = state.state
        let from = Self.shown(was, state, now)
        if let runAt = request.runAt { state.runAt = max(now, runAt) }
        if let priority = request.priority { state.priority = priority }
        let isLater = state.runAt > now
        let event: TaskEvent = isLater ? .moveLater : .moveNow
        state.state = count(key.queue, was, event, of: key.sequence, type: task.type, toldOf: task.queue)
        if task.queue != key.queue {
            let moved = state.state
            change(key.queue) { $0.count(moved, -1) }
            change(task.queue) { $0.count(moved, 1) }
            try moveExpiry(key, &state, to: task.queue, transaction)
        }
        let row = HistoryRow(.move, of: state, from: from, to: state.state, at: now)
        try note(row, key.sequence, &state, transaction)
        return try waitAgain(key.sequence, state, isLater: isLater, at: now, transaction)
    }

    private mutating func moveExpiry(
        _ key: WaitingKey, _ state: inout StateRecord, to queue: UInt32,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        if let expiresAt = state.expiresAt {
            let timer = TimerKey(at: expiresAt, kind: .timeToLive, sequence: key.sequence, queue: key.queue)
            try transaction.delete(Tables.timers, timer.bytes)
            try setTimer(expiresAt, .timeToLive, key.sequence, queue, transaction)
        }
        state.queue = queue
    }

    /// Another task has the UNIQUE key.
    func duplicate(of holder: UInt64) -> CommandError {
        CommandError(.duplicate, broker.id(holder).description)
    }
}

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
        case .waiting(let key, let flags, let task):
            var task = task
            if let refusal = try changeQueue(of: key.sequence, &task, to: request.queue, now, transaction) {
                return .refused(refusal)
            }
            let state =
                key.range.lane == .parked
                ? try moveParked(key.sequence, task, request, now, transaction)
                : try move(key, flags, task, request, now, transaction)
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

    /// The same of a task that is parked: it stays so, unless it waited for others of its ORDER key in the other queue.
    private mutating func moveParked(
        _ sequence: UInt64, _ task: TaskRecord, _ request: MoveRequest, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> TaskState {
        // That it left the order of its key may have freed it there.
        guard var state = try state(sequence, .waiting, transaction), state.state == .blocked else {
            guard let (key, flags) = try waitingPlace(of: sequence, task, transaction) else { return .pending }
            return try move(key, flags, task, request, now, transaction)
        }
        let key = state.waitingKey(sequence)
        try transaction.delete(Tables.waiting, key.bytes)
        if let runAt = request.runAt { state.runAt = max(now, runAt) }
        if let priority = request.priority { state.priority = priority }
        let event: TaskEvent = state.runAt > now ? .moveLater : .moveNow
        count(key.queue, .blocked, event, of: sequence, type: task.type, toldOf: task.queue)
        if task.queue != key.queue {
            change(key.queue) { $0.count(.blocked, -1) }
            change(task.queue) { $0.count(.blocked, 1) }
            try moveExpiry(key, &state, to: task.queue, transaction)
        }
        let row = HistoryRow(.move, of: state, from: .blocked, to: .blocked, at: now)
        try note(row, sequence, &state, transaction)
        let place = try storeParked(sequence, state, transaction)
        guard task.queue != key.queue, state.isTied else { return .blocked }
        try makeWay(for: sequence, at: now, transaction)
        guard let order = orderPlace(task), try predecessor(of: sequence, in: order, transaction) == nil,
            try dependencies(of: sequence, transaction)?.open.isEmpty ?? true
        else { return .blocked }
        try unpark(place, WaitingKey.Flag.state, task, now, transaction)
        return try self.state(sequence, .waiting, transaction)?.state ?? .pending
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

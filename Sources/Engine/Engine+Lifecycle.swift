import MartletProtocol
import MartletStorage

extension Engine {
    /// The one door of the life cycle: consults the table, moves the counters, tells who listens, says where the task
    /// is now.
    @discardableResult
    mutating func count(
        _ queue: UInt32, _ from: TaskState, _ event: TaskEvent, of sequence: UInt64, type: UInt32,
        toldOf told: UInt32? = nil
    ) -> TaskState {
        guard let to = from.after(event) else { preconditionFailure("\(from) does not allow \(event)") }
        tell(told ?? queue, sequence, type: type, from: from, to: to)
        change(queue) {
            $0.count(from, -1)
            $0.count(to, 1)
        }
        return to
    }

    /// A task that is in somebody's hands is taken out of them: its lease and its active record are gone.
    mutating func takeActive(
        _ sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> StateRecord? {
        try freeSlot(of: removeLease(sequence), transaction)
        return try transaction.take(Tables.states, Phase.active.key(sequence)) { StateRecord(from: &$0) }
    }

    /// A task waits again, in the lane its attempts say, or parked if others of its ORDER key come first. `runAt` and
    /// `state` are set and counted.
    /// - Returns: the state it is in.
    @discardableResult
    mutating func waitAgain(
        _ sequence: UInt64, _ state: StateRecord, isLater: Bool, at now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> TaskState {
        if state.isTied, try stayBehind(sequence, state, at: now, transaction) { return .blocked }
        try transaction.put(Tables.states, Phase.waiting.key(sequence)) { state.write(to: &$0) }
        try enterWaiting(state.waitingKey(sequence), hasState: true, isLater: isLater, transaction)
        if state.isTied { try makeWay(for: sequence, at: now, transaction) }
        return state.state
    }

    /// A task's life ends. Counters are moved already; `state.state` says how it ended.
    mutating func end(
        _ sequence: UInt64, _ state: StateRecord, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        if let expiresAt = state.expiresAt {
            let timer = TimerKey(at: expiresAt, kind: .timeToLive, sequence: sequence, queue: state.queue)
            try transaction.delete(Tables.timers, timer.bytes)
        }
        if state.hasUnique {
            try freeUniqueKey(of: sequence, try task(sequence, transaction), at: .ended, transaction)
        }
        if state.isTied { try leaveOrder(sequence, try task(sequence, transaction), at: now, transaction) }
        let batch = try batch(of: sequence, state, transaction)
        if state.state != .dead, state.keep == 0 {
            change(state.queue) { $0.count(state.state, -1) }
            try remove(sequence, state, transaction)
            try leaveBatch(sequence, batch, state.state, at: now, transaction)
            return try tellDependents(of: sequence, state.state, isGone: true, at: now, transaction)
        }
        var state = state
        state.endedAt = now
        state.cancel = false
        state.hasRetentionTimer = state.state != .dead && !standsInKeptLine(state)
        let ended = state
        try transaction.put(Tables.states, Phase.ended.key(sequence)) { ended.write(to: &$0) }
        let key = EndedKey(queue: ended.queue, state: ended.state, at: now, sequence: sequence)
        try transaction.put(Tables.ended, key.bytes, flags: ended.hasRetentionTimer ? EndedFlag.timer : 0)
        if ended.state == .dead { try countKind(of: ended, 1, at: now, transaction) }
        try keep(sequence, ended, transaction)
        tellWatchers(of: sequence)
        try leaveBatch(sequence, batch, ended.state, at: now, transaction)
        try tellDependents(of: sequence, ended.state, at: now, transaction)
        try removeSurplus(ended.queue, limit: 1, now, transaction)
    }

    /// Everything that is stored of a task goes, but for what `states`, `ended` and `timers` hold.
    mutating func remove(
        _ sequence: UInt64, _ state: StateRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        if state.hasUnique {
            try freeUniqueKey(of: sequence, try task(sequence, transaction), at: .removed, transaction)
        }
        try tellWatchers(of: sequence, removing: state, transaction)
        try transaction.delete(Tables.tasks, taskKey(sequence))
        if state.hasBody { try transaction.delete(Tables.bodies, BodyKind.payload.key(sequence)) }
        if state.resultSize != nil, state.result == nil {
            try transaction.delete(Tables.bodies, BodyKind.result.key(sequence))
        }
        for number in HistoryWindow.kept(of: state.historyRows) {
            try transaction.delete(Tables.history, historyKey(sequence, number))
        }
        if state.hasLog { try removeLog(sequence, transaction) }
    }

    /// The record of an ended task goes, and with it everything about the task.
    /// - Returns: whether there was one.
    @discardableResult
    mutating func removeEnded(
        _ sequence: UInt64, at now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        let key = Phase.ended.key(sequence)
        guard let state = try transaction.take(Tables.states, key, { StateRecord(from: &$0) }) else { return false }
        try leaveEnded(sequence, state, transaction)
        change(state.queue) { $0.count(state.state, -1) }
        try remove(sequence, state, transaction)
        if state.state != .completed {
            try tellDependents(of: sequence, state.state, isGone: true, at: now, transaction)
        }
        return true
    }

    /// Writes a history row; past the window of the first and the newest ones, the oldest of the newest goes.
    func note(
        _ row: HistoryRow, _ sequence: UInt64, _ state: inout StateRecord,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let number = state.historyRows
        try transaction.put(Tables.history, historyKey(sequence, number)) { row.write(to: &$0) }
        state.historyRows += 1
        if let surplus = HistoryWindow.surplus(after: number) {
            try transaction.delete(Tables.history, historyKey(sequence, surplus))
        }
    }
}

/// Which history rows are kept: the first and the newest, so many of each.
enum HistoryWindow {
    private static let ends = UInt32(Limits.historyEnds)

    /// The numbers that are kept of `count` rows.
    static func kept(of count: UInt32) -> [UInt32] {
        guard count > 2 * ends else { return Array(0..<count) }
        return Array(0..<ends) + Array(count - ends..<count)
    }

    /// The row that goes when row `number` is written.
    static func surplus(after number: UInt32) -> UInt32? {
        number >= 2 * ends ? number - ends : nil
    }
}

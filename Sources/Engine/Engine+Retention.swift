import MartletProtocol
import MartletStorage

/// How long the records of ended tasks are kept.
extension Engine {
    /// Entries of `ended`.
    enum EndedFlag {
        /// The task has a retention timer of its own.
        static let timer: UInt8 = 1
    }

    /// Entries that are passed over at a time on the way to a line's next task.
    static let passedAtATime = 1_000

    /// Whether a task that ends now stands in the line of its queue and state. A line is opened by a task that is kept
    /// as long as the queue's tasks are by default; whoever is kept otherwise has a timer of its own.
    func standsInKeptLine(_ ended: StateRecord) -> Bool {
        let index = Int(ended.queue) - 1
        if let line = queues[index].kept[ended.state] { return line.keep == ended.keep }
        return ended.keep == queues[index].settings.options.task.keep ?? TaskDefaults.keep
    }

    /// Sees to it that the record of a task that has just ended goes when its time has come.
    mutating func keep(
        _ sequence: UInt64, _ ended: StateRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let endedAt = ended.endedAt, let until = ended.keepUntil else { return }
        guard !ended.hasRetentionTimer else {
            return try setTimer(until, .retention, sequence, ended.queue, transaction)
        }
        let place = EndedPlace(at: endedAt, sequence: sequence)
        let line = queues[Int(ended.queue) - 1].kept[ended.state]
        if let line, line.place <= place { return }
        if let line { try transaction.delete(Tables.timers, line.timer(ended.queue, ended.state).bytes) }
        try set(KeptLine(keep: ended.keep, place: place), ended.queue, ended.state, transaction)
    }

    private mutating func set(
        _ line: KeptLine, _ queue: UInt32, _ state: TaskState, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        change(queue) { $0.kept[state] = line }
        try transaction.put(Tables.timers, line.timer(queue, state).bytes, flags: 0)
        timerBound = min(timerBound, line.due)
    }

    /// The timer of a line has fired: the record of its first task goes.
    mutating func removeFirst(
        of timer: TimerKey, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let state = TaskState(rawValue: UInt8(clamping: timer.sequence)),
            let line = queues[Int(timer.queue) - 1].kept[state], line.timer(timer.queue, state).bytes == timer.bytes
        else { return }
        let first = try next(of: line, timer.queue, state, transaction)
        guard first.isInLine, first.place == line.place else {
            return try moveOn(line, timer.queue, state, transaction)
        }
        if try removeEnded(line.place.sequence, at: timer.at, transaction) { return }
        try putAside(
            EndedKey(queue: timer.queue, state: state, at: line.place.at, sequence: line.place.sequence), transaction)
        try moveOn(line, timer.queue, state, transaction)
    }

    /// A task that stood in a line has left `ended`: if it was the first, the timer is set for the next.
    mutating func leaveKeptLine(
        _ sequence: UInt64, _ ended: StateRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let place = EndedPlace(at: ended.endedAt ?? 0, sequence: sequence)
        guard let line = queues[Int(ended.queue) - 1].kept[ended.state], line.place == place else { return }
        try transaction.delete(Tables.timers, line.timer(ended.queue, ended.state).bytes)
        try moveOn(line, ended.queue, ended.state, transaction)
    }

    /// The first of a line is no more; its timer is gone.
    private mutating func moveOn(
        _ line: KeptLine, _ queue: UInt32, _ state: TaskState, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        if let place = try next(of: line, queue, state, transaction).place {
            try set(KeptLine(keep: line.keep, place: place), queue, state, transaction)
        } else {
            change(queue) { $0.kept[state] = nil }
        }
    }

    /// The queue is no more.
    mutating func closeKeptLines(
        _ queue: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for (state, line) in queues[Int(queue) - 1].kept.open {
            try transaction.delete(Tables.timers, line.timer(queue, state).bytes)
            change(queue) { $0.kept[state] = nil }
        }
    }

    /// The first task of a line, or where to look on for it.
    private func next(
        of line: KeptLine, _ queue: UInt32, _ state: TaskState, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> (place: EndedPlace?, isInLine: Bool) {
        let from = EndedKey(queue: queue, state: state, at: line.place.at, sequence: line.place.sequence)
        var found: (place: EndedPlace?, isInLine: Bool) = (nil, false)
        var passed = 0
        try transaction.scan(
            Tables.ended, from: from.bytes, prefix: EndedKey.prefix(queue: queue, state: state)
        ) { bytes, flags in
            guard let key = EndedKey(bytes) else { return true }
            found = (EndedPlace(at: key.at, sequence: key.sequence), flags & EndedFlag.timer == 0)
            passed += 1
            return !found.isInLine && passed < Self.passedAtATime
        }
        // All that are left have timers of their own.
        if !found.isInLine, passed < Self.passedAtATime { found.place = nil }
        return found
    }
}

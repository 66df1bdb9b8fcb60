import MartletProtocol
import MartletStorage

extension Engine {
    /// Every move of a task, oldest first: the stored rows, and between them what can be derived from them and from the
    /// task's own times. Bounded: the first and the newest 100.
    func history<A>(
        of view: TaskView, _ task: TaskRecord, _ sequence: UInt64, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [HistoryEntry] {
        let isUntold = try transaction.first(Tables.history, from: taskKey(sequence), prefix: taskKey(sequence)) == nil
        let isParked = try state(sequence, .waiting, transaction)?.state == .blocked
        var story = Story(task, wasBlocked: isParked && isUntold)
        try transaction.scanRecords(Tables.history, from: taskKey(sequence), prefix: taskKey(sequence)) { _, record in
            story.add(HistoryRow(from: &record))
            return true
        }
        story.finish(view, isParked: isParked, now)
        let entries = story.entries
        guard entries.count > 2 * Limits.historyEnds else { return entries }
        return Array(entries.prefix(Limits.historyEnds) + entries.suffix(Limits.historyEnds))
    }
}

/// Tells a task's moves from what is stored of them.
private struct Story {
    var entries: [HistoryEntry]
    /// When it became due, if it has waited as SCHEDULED since the last entry.
    private var dueAt: Timestamp?
    /// The hand-out that was told last.
    private var startedToken: Int64 = 0

    init(_ task: TaskRecord, wasBlocked: Bool) {
        let isLater = task.runAt > task.created
        dueAt = isLater && !wasBlocked ? task.runAt : nil
        let first: TaskState = wasBlocked ? .blocked : isLater ? .scheduled : .pending
        entries = [Self.entry(task.created, nil, first, 0, "add")]
    }

    mutating func add(_ row: HistoryRow) {
        // The first row of a task that was added BLOCKED leaves that state.
        if entries.count == 1, row.from == .blocked { (entries[0].to, dueAt) = (.blocked, nil) }
        if row.startedAt > 0 {
            start(row.startedAt, row.token, row.attempt, row.worker)
        } else if let dueAt, dueAt <= row.at {
            becomeDue(dueAt, row.attempt)
        }
        var entry = Self.entry(row.at, row.from, row.to, row.attempt, row.reason.name)
        (entry.kind, entry.message, entry.trace, entry.worker) = (row.kind, row.message, row.trace, row.worker)
        entries.append(entry)
        dueAt = row.to == .scheduled ? row.runAt : nil
    }

    mutating func finish(_ view: TaskView, isParked: Bool, _ now: Timestamp) {
        switch view.state {
        case .active:
            start(view.startedAt ?? 0, view.token ?? 0, view.attempt, view.worker)
        case .completed:
            start(view.startedAt ?? 0, view.token ?? 0, view.attempt, view.worker)
            var entry = Self.entry(view.endedAt ?? 0, .active, .completed, view.attempt, "ack")
            entry.worker = view.worker
            entries.append(entry)
        case .pending, .blocked:
            if !isParked, let dueAt, dueAt <= now { becomeDue(dueAt, view.attempt) }
        default: break
        }
    }

    private mutating func start(_ at: Timestamp, _ token: Int64, _ attempt: Int64, _ worker: Bytes?) {
        // What happened to a task in hand is told after the one hand-out.
        guard token != startedToken else { return }
        startedToken = token
        if let dueAt { becomeDue(dueAt, attempt - 1) }
        var entry = Self.entry(at, .pending, .active, attempt, "reserve")
        entry.worker = worker
        entries.append(entry)
    }

    private mutating func becomeDue(_ at: Timestamp, _ attempt: Int64) {
        entries.append(Self.entry(at, .scheduled, .pending, attempt, "due"))
        dueAt = nil
    }

    private static func entry(
        _ at: Timestamp, _ from: TaskState?, _ to: TaskState, _ attempt: Int64, _ reason: String
    ) -> HistoryEntry {
        HistoryEntry(at: at, from: from, to: to, attempt: attempt, reason: reason)
    }
}

import MartletProtocol
import MartletStorage

/// Runs that are due.
extension Engine {
    /// Runs that a command on the table, or a hand-out, catches up with at once.
    static let cronsAtOnce = 1_000
    /// A run that is later than this was missed: CATCHUP says what happens to it.
    private static let missedAfter: Milliseconds = 1_000

    enum CronRun {
        case added(UInt64)
        case refused(CommandError)
    }

    func cronsAreDue(by now: Timestamp) -> Bool { crons.nextInstant.map { $0 <= now } ?? false }

    /// Lets what is due by `now` run, in order, at most `limit` runs; how many.
    @discardableResult
    mutating func runCrons(
        by now: Timestamp, limit: Int, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Int {
        for done in 0..<limit {
            guard var entry = crons.due(by: now), let due = entry.nextRun else { return done }
            let at = entry.catchup == .all ? due : last(of: entry, from: due, by: now)
            entry.nextRun = next(of: entry, after: at)
            if entry.catchup != .none || now - at <= Self.missedAfter, try mayRun(entry, now, transaction) {
                // A queue that takes no tasks now misses this one; the table goes on.
                _ = try run(&entry, at: at, now, transaction)
            }
            try store(entry, transaction)
        }
        return limit
    }

    /// The last of the runs from `first` on that are due by `now`.
    private func last(of entry: CronEntry, from first: Timestamp, by now: Timestamp) -> Timestamp {
        if case .every(let span) = entry.schedule { return first + (now - first) / span * span }
        // Far behind, the last run is looked for not long ago; a line that matches rarely is stepped through.
        var last = first
        for back in [120_000, 7_200_000, 200_000_000, 8_000_000_000] as [Milliseconds] where now - back > last {
            guard let next = next(of: entry, after: now - back), next <= now else { continue }
            last = next
            break
        }
        while let next = next(of: entry, after: last), next <= now { last = next }
        return last
    }

    /// With OVERLAP SKIP only when the task of the last run has ended.
    private mutating func mayRun(
        _ entry: CronEntry, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        guard entry.overlap == .skip, let last = entry.history.last else { return true }
        try settle(last.sequence, now, transaction)
        let (state, _) = try whereabouts(of: last.sequence, now, transaction)
        return state?.isEnded ?? true
    }

    /// Adds the task of one run, due at `at`.
    mutating func run(
        _ entry: inout CronEntry, at: Timestamp, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CronRun {
        guard let payload = try body(.cron, of: entry.number, transaction) else {
            return .refused(CommandError(.error, "the payload of this cron entry is damaged; set it again"))
        }
        let add = AddRequest(queue: entry.queue, type: entry.type, payload: payload, options: entry.options)
        switch try self.add(add, now, transaction) {
        case .id(let id):
            entry.ran(at: at, id.sequence)
            return .added(id.sequence)
        case .refused(let refusal): return .refused(refusal)
        default: preconditionFailure("an add without FULL answers with an id or a refusal")
        }
    }
}

import MartletProtocol
import MartletStorage

extension Engine {
    /// Answers at once if all tasks have ended; otherwise the caller waits.
    mutating func wait(
        _ request: WaitRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        var (tasks, pending): (Set<UInt64>, Set<UInt64>) = ([], [])
        for name in request.ids {
            guard let sequence = sequence(TaskID(name)) else { continue }
            try settleToTell(sequence, now, transaction)
            tasks.insert(sequence)
            if try isUnended(sequence, transaction) { pending.insert(sequence) }
        }
        guard !pending.isEmpty, case .upTo(let span) = request.block else {
            return .waited(try endings(request.ids, [:], now, transaction))
        }
        let until = span == 0 || span > Limits.latestTime - now ? nil : now + span
        undoLog.changes.append(.watcher(request.caller, nil))
        watchers.enter(request, until: until, tasks: tasks, pending: pending)
        return .blocked
    }

    private func isUnended(
        _ sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        if leases[sequence] != nil { return true }
        guard try isKnown(sequence, transaction) else { return false }
        return try !transaction.contains(Tables.states, Phase.ended.key(sequence))
    }

    /// How the tasks stand now; `gone` knows those whose record is gone.
    private func endings<A>(
        _ names: [Bytes], _ gone: [UInt64: WaitedTask], _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [WaitedTask] {
        var endings: [WaitedTask] = []
        var bytes = 0
        for name in names {
            var ending = WaitedTask(name: name)
            if let id = TaskID(name), let sequence = sequence(id) {
                if let last = gone[sequence] {
                    ending = last
                } else {
                    ending = try self.ending(id, now, withResult: bytes < Limits.waitResults, transaction)
                }
                ending.name = name
            }
            bytes += ending.result?.count ?? 0
            endings.append(ending)
        }
        return endings
    }

    private func ending<A>(
        _ id: TaskID, _ now: Timestamp, withResult: Bool, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> WaitedTask {
        switch try answer(.get(GetRequest(id: id)), now: now, in: transaction) {
        case .task(let view):
            var ending = WaitedTask(name: [], state: view.state)
            ending.error = view.state == .completed ? nil : view.lastError
            guard withResult, view.resultSize != nil, view.state.isEnded else { return ending }
            if case .bytes(let result) = try answer(.result(id), now: now, in: transaction) { ending.result = result }
            return ending
        case .refused(let refusal) where refusal.code != .noTask:
            return WaitedTask(name: [], error: Bytes(refusal.message.utf8))
        default: return WaitedTask(name: [])
        }
    }

    /// A task ended: those who wait for it are nearer to their answer.
    mutating func tellWatchers(of sequence: UInt64) {
        guard !watchers.isEmpty else { return }
        changeWatchers(of: sequence) { _ in }
    }

    /// Everything that is stored of a task is about to go: those who wait for it still get to know how it ended.
    mutating func tellWatchers(
        of sequence: UInt64, removing state: StateRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard !watchers.isEmpty, !watchers.callers(of: sequence).isEmpty else { return }
        var ending = WaitedTask(name: [])
        if state.state.isEnded {
            ending.state = state.state
            ending.error = state.state == .completed ? nil : state.lastError
            if let size = state.resultSize, watchers.resultBytes + size <= Limits.heldResults {
                ending.result = state.result
                if state.result == nil { ending.result = try? body(.result, of: sequence, transaction) }
            }
        }
        let last = ending
        changeWatchers(of: sequence) { $0.gone[sequence] = last }
    }

    private mutating func changeWatchers(of sequence: UInt64, _ change: (inout Watcher) -> Void) {
        for caller in watchers.callers(of: sequence) {
            guard var watcher = watchers[caller] else { continue }
            undoLog.changes.append(.watcher(caller, watcher))
            watcher.pending.remove(sequence)
            change(&watcher)
            watchers.insert(watcher)
        }
    }

    /// Answers those whose tasks have all ended, and those whose BLOCK has passed.
    mutating func serveWatchers(
        _ now: Timestamp, _ transaction: borrowing Transaction<Writing>, _ deliver: (CallerID, Answer) -> Void
    ) throws(StorageError) {
        while let caller = watchers.first(by: now) {
            for sequence in (watchers[caller]?.pending ?? []).sorted() { try settleToTell(sequence, now, transaction) }
            guard let watcher = watchers[caller] else { continue }
            let endings = try endings(watcher.request.ids, watcher.gone, now, transaction)
            undoLog.changes.append(.watcher(caller, watcher))
            watchers.remove(caller)
            deliver(caller, .waited(endings))
        }
    }
}

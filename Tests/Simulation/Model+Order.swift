internal import MartletEngine
internal import MartletProtocol

/// Which task is next: the contract's "Order of hand-out", sentence by sentence.
extension Model {
    /// The next task of several queues; `contested` says whose lanes competed for it.
    func next(of queues: [Bytes], _ now: Timestamp) -> (id: TaskID, contested: Lanes?)? {
        let heads = queues.compactMap { next(of: $0, now) }
        return heads.min { left, right in
            guard let one = tasks[left.id], let other = tasks[right.id] else { return false }
            return one.isBefore(other)
        }
    }

    private func next(of queue: Bytes, _ now: Timestamp) -> (id: TaskID, contested: Lanes?)? {
        if isPaused(queue, \.handingOut, now) { return nil }
        let due = tasks.values.filter { $0.queue == queue && $0.isWaiting && $0.runAt <= now }
        guard let priority = due.map(\.priority).max() else { return nil }
        let ranked = due.filter { $0.priority == priority }.sorted { $0.isBefore($1) }
        let fresh = ranked.first { !$0.isRetry }
        let retry = ranked.first { $0.isRetry }
        guard let fresh, let retry else { return ranked.first.map { ($0.id, nil) } }
        let lanes = Lanes(queue: queue, priority: priority)
        let turn = contested[lanes, default: 0] + 1
        let share = Int64(retryShare(of: queue))
        let retryTurn = turn * share / 100 > (turn - 1) * share / 100
        return (retryTurn ? retry.id : fresh.id, lanes)
    }

    /// As set, else 30 %, 20 % from 1,000 tasks in the queue's retry lane, due or not, 10 % from 5,000.
    func retryShare(of queue: Bytes) -> Int {
        if let share = options[queue]?.retryShare { return share }
        let retries = tasks.values.count { $0.queue == queue && $0.isWaiting && $0.isRetry }
        return retries >= 5_000 ? 10 : retries >= 1_000 ? 20 : 30
    }
}

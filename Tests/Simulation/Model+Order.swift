internal import MartletEngine
internal import MartletProtocol

/// Which task is next: the contract's "Order of hand-out", sentence by sentence.
extension Model {
    /// The next task of several queues; `contested` says whose lanes competed for it. `token` is what the hand-out
    /// gets, if it is known.
    func next(of request: ReserveRequest, token: Int64?, _ now: Timestamp) -> (id: TaskID, contested: Lanes?)? {
        var heads: [(head: (id: TaskID, contested: Lanes?), weight: UInt64)] = []
        var named: [Bytes] = []
        for (index, queue) in request.queues.enumerated() where !named.contains(queue) {
            named.append(queue)
            guard let head = next(of: queue, now) else { continue }
            guard case .weighted(let weights) = request.mode else {
                heads.append((head, 1))
                continue
            }
            let places = request.queues.indices.filter { $0 >= index && request.queues[$0] == queue }
            heads.append((head, places.reduce(0) { $0 + UInt64(weights[$1]) }))
        }
        switch request.mode {
        case .ordered: return heads.first?.head
        case .weighted: return heads.isEmpty ? nil : weighted(heads, token ?? newestToken + 1)
        case .strict: break
        }
        return heads.map(\.head).min { left, right in
            guard let one = tasks[left.id], let other = tasks[right.id] else { return false }
            return isBefore(one, other, now)
        }
    }

    /// The turn goes round by the golden ratio: hand-out after hand-out steps so far along a line on which every queue
    /// has its weight.
    private func weighted(
        _ heads: [(head: (id: TaskID, contested: Lanes?), weight: UInt64)], _ token: Int64
    ) -> (id: TaskID, contested: Lanes?)? {
        let step: UInt64 = 11_400_714_819_323_198_485
        let total = heads.reduce(0) { $0 + $1.weight }
        let place = (UInt64(token).multipliedFullWidth(by: step).low >> 32).multipliedFullWidth(by: total).low >> 32
        var end: UInt64 = 0
        return heads.first { head in
            end += head.weight
            return place < end
        }?.head
    }

    /// Waiting raises the priority, one for each AGING, to 10 at most.
    func priority(of task: ModelTask, _ now: Timestamp) -> Int {
        guard let aging = options[task.queue]?.aging else { return task.priority }
        return min(10, task.priority + Int((now - task.runAt) / aging))
    }

    /// Whether hand-out order puts one before the other, both due.
    func isBefore(_ one: ModelTask, _ other: ModelTask, _ now: Timestamp) -> Bool {
        let (mine, theirs) = (priority(of: one, now), priority(of: other, now))
        if mine != theirs { return mine > theirs }
        return one.runAt != other.runAt ? one.runAt < other.runAt : one.id < other.id
    }

    /// Whether one more of a queue's tasks may be in hand.
    func hasSlot(_ queue: Bytes) -> Bool {
        guard let slots = options[queue]?.concurrency else { return true }
        return tasks.values.count { $0.queue == queue && $0.hold != nil } < slots
    }

    /// Whether one more of a task's group may be in hand.
    func hasGroupSlot(_ task: ModelTask) -> Bool {
        guard let group = task.group, let slots = options[task.queue]?.groupConcurrency else { return true }
        return tasks.values.count { $0.queue == task.queue && $0.group == group && $0.hold != nil } < slots
    }

    func next(of queue: Bytes, _ now: Timestamp) -> (id: TaskID, contested: Lanes?)? {
        if isPaused(queue, \.handingOut, now) { return nil }
        if !hasSlot(queue) || isHeldBack(queue, now) { return nil }
        let due = tasks.values.filter { $0.queue == queue && $0.isWaiting && $0.runAt <= now }
        let isFair = fair.contains(queue)
        let (fresh, retry) = isFair ? nextInTurn(of: due, now) : nextInOrder(of: due, now)
        guard let fresh, let retry else { return (fresh ?? retry).map { ($0.id, nil) } }
        let (one, other) = (priority(of: fresh, now), priority(of: retry, now))
        if !isFair, one != other { return (one > other ? fresh.id : retry.id, nil) }
        let lanes = Lanes(queue: queue, priority: isFair ? fresh.priority : one)
        let turn = contested[lanes, default: 0] + 1
        let share = Int64(retryShare(of: queue))
        let retryTurn = turn * share / 100 > (turn - 1) * share / 100
        return (retryTurn ? retry.id : fresh.id, lanes)
    }

    /// The first tasks of both lanes, from the highest priority on; with AGING from all of them the ones that have
    /// risen highest. What has no slot or no tokens is passed over.
    private func nextInOrder(of due: [ModelTask], _ now: Timestamp) -> (fresh: ModelTask?, retry: ModelTask?) {
        var shortage: Set<Bytes> = []
        var heads: [Bool: ModelTask] = [:]
        for priority in stride(from: 10, through: 1, by: -1) {
            for isRetry in [false, true] {
                let range = due.filter { $0.priority == priority && $0.isRetry == isRetry }
                let head = range.sorted { ($0.runAt, $0.id) < ($1.runAt, $1.id) }.first {
                    hasGroupSlot($0) && canPay($0, &shortage, now)
                }
                guard let head else { continue }
                if heads[isRetry].map({ isBefore(head, $0, now) }) ?? true { heads[isRetry] = head }
            }
            if !heads.isEmpty, due.first.flatMap({ options[$0.queue]?.aging }) == nil { break }
        }
        return (heads[false], heads[true])
    }

    /// As set, else 30 %, 20 % from 1,000 tasks in the queue's retry lane, due or not, 10 % from 5,000.
    func retryShare(of queue: Bytes) -> Int {
        if let share = options[queue]?.retryShare { return share }
        let retries = tasks.values.count { $0.queue == queue && $0.isWaiting && $0.isRetry }
        return retries >= 5_000 ? 10 : retries >= 1_000 ? 20 : 30
    }
}

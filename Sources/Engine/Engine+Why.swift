public import MartletProtocol
import MartletStorage

/// Why a task is not running now.
public enum WaitReason: String, CaseIterable, Sendable {
    /// It is.
    case running
    case ended
    /// Its due time has not come.
    case scheduled
    /// The same, after a failed attempt.
    case backoff
    /// Its queue hands nothing out.
    case paused
    /// As many of its queue are in hand as may be.
    case concurrency
    /// As many of its group are in hand as may be.
    case groupConcurrency = "group_concurrency"
    /// Another task with its ORDER key comes first.
    case order
    /// A task it was added AFTER has not completed.
    case after
    /// Its queue's breaker is open, or its probes are out.
    case breaker
    /// Its queue's limit has no token.
    case queueLimit = "queue_limit"
    /// A limit that it names itself has no token for it.
    case limit
    /// Others of its queue come first.
    case behind
    /// It is the next of its queue: nobody takes it.
    case noWorker = "no_worker"
}

/// What TASK.WHY tells.
public struct WaitView: Hashable, Sendable {
    public var state: TaskState
    public var reason: WaitReason
    /// When that changes by itself; `nil`: it does not.
    public var until: Timestamp?
    /// The one next thing that would change it.
    public var detail: String
}

/// TASK.WHY. Looks at the task, at its queue, and at the heads of at most 20 ranges; never scans.
extension Engine {
    /// What is due for the task and for its queue's next one happens first; then it is looked at.
    mutating func why(
        _ id: TaskID?, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        // Each of them frees a slot, and tells a breaker.
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        if let sequence = sequence(id) {
            try settleToTell(sequence, now, transaction)
            if timerBound <= now { try expireHeads(of: sequence, now, transaction) }
        }
        return try why(id, looking: now, transaction)
    }

    /// One whose time to live is over is not handed out, although the bookkeeping has not come to it.
    private mutating func expireHeads(
        of sequence: UInt64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var queue: UInt32?
        do throws(StorageError) { queue = try task(sequence, transaction)?.queue } catch {
            guard error.kind == .damaged else { throw error }
        }
        guard let queue else { return }
        for _ in 0..<Self.settleLimit {
            guard let head = try next(of: queue, now, transaction), try expire([head], now, transaction) else { return }
        }
    }

    /// The same without a change: what is due and not yet done is not seen.
    func why<A>(
        _ id: TaskID?, looking now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Answer {
        let answer = try answer(.get(GetRequest(id: id)), now: now, in: transaction)
        guard case .task(let task) = answer, let number = queueNumbers[task.queue] else { return answer }
        switch task.state {
        case .active: return .why(Self.whyRunning(task))
        case .scheduled: return .why(Self.whyScheduled(task))
        case .completed, .dead, .cancelled, .expired: return .why(Self.whyEnded(task))
        case .pending: return .why(try whyPending(task, number, now, transaction))
        case .blocked: return .why(try whyBlocked(task, now, transaction))
        }
    }

    private static func whyRunning(_ task: TaskView) -> WaitView {
        let worker = task.worker.map { "worker '\(String(decoding: $0, as: UTF8.self))'" } ?? "a worker without a name"
        let next =
            task.cancel ? "is to be cancelled; \(worker) is told at its next TOUCH or BEAT" : "is held by \(worker)"
        return WaitView(
            state: task.state, reason: .running, until: task.deadline,
            detail: "attempt \(task.attempt) \(next); its lease runs out unless it is extended")
    }

    private static func whyScheduled(_ task: TaskView) -> WaitView {
        let failed = task.attempt > 0 && task.lastError != nil
        let what = failed ? "attempt \(task.attempt + 1) comes after the back-off" : "it is due later"
        return WaitView(
            state: task.state, reason: failed ? .backoff : .scheduled, until: task.runAt,
            detail: "\(what); TASK.RETRY \(task.id) makes it due now")
    }

    private static func whyEnded(_ task: TaskView) -> WaitView {
        WaitView(
            state: task.state, reason: .ended, until: task.keepUntil,
            detail: "TASK.RETRY \(task.id) lets it run again"
                + (task.keepUntil == nil ? "" : " while its record is kept"))
    }

    private func whyPending<A>(
        _ task: TaskView, _ number: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> WaitView {
        let name = String(decoding: task.queue, as: UTF8.self)
        func view(_ reason: WaitReason, _ detail: String, until: Timestamp? = nil) -> WaitView {
            WaitView(state: task.state, reason: reason, until: until, detail: detail)
        }
        let pause = queue(number).pause.handingOut
        if pause > now {
            return view(.paused, "QUEUE.RESUME \(name) lets it hand out again", until: pause == .max ? nil : pause)
        }
        guard queue(number).hasSlot else {
            let active = queue(number)[.active]
            return view(
                .concurrency, "\(active) tasks of queue '\(name)' are in hand: one must end, or CONCURRENCY grow")
        }
        if let gate = gate(of: number, now) { return whyHeldBack(task, gate, now) }
        guard let head = try next(of: number, now, transaction)?.key.sequence else {
            return view(.behind, "a task that comes first waits for a limit that this one needs, too")
        }
        guard head != task.id.sequence else {
            let busy = leases.workers(of: number).count
            let those = busy == 0 ? "nobody takes it" : "\(busy) of its workers are busy with others"
            return view(
                .noWorker, "it is the next of queue '\(name)' and \(those): a TASK.RESERVE of the queue gets it")
        }
        return view(.behind, "\(broker.id(head)) is the next of queue '\(name)' to be handed out")
    }

    private func whyBlocked<A>(
        _ task: TaskView, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> WaitView {
        if let view = try whyHeldUp(task, now, transaction) { return view }
        let open = try dependencies(of: task.id.sequence, transaction)?.open ?? []
        if open.isEmpty, let view = try whyOrdered(task, now, transaction) { return view }
        var detail = "it waits for nothing that is known; TASK.CANCEL \(task.id) gives it up"
        if let first = open.first {
            let (state, _) = try whereabouts(of: first, now, transaction)
            let others = open.count > 1 ? " and \(open.count - 1) more" : ""
            let id = broker.id(first)
            switch state {
            case nil: detail = "\(id) is gone and completes no more; TASK.CANCEL \(task.id) gives this one up"
            case .dead?, .cancelled?, .expired?:
                detail = "\(id)\(others) must complete and is \(state?.name ?? ""); TASK.RETRY \(id) lets it run again"
            default: detail = "\(id)\(others) must complete and is \(state?.name ?? "")"
            }
        }
        return WaitView(state: task.state, reason: .after, until: nil, detail: detail)
    }

    /// Of a task that is due and stands in its line; `nil`: it is parked.
    private func whyHeldUp<A>(
        _ task: TaskView, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> WaitView? {
        guard let record = try self.task(task.id.sequence, transaction),
            try waitingPlace(of: task.id.sequence, record, transaction)?.key.range.lane != .parked
        else { return nil }
        switch try holdUp(of: record, now, transaction) {
        case nil: return nil
        case .limit(let number, let cost): return whyShort(task, record, number, cost, now)
        case .group:
            let group = String(decoding: record.group ?? [], as: UTF8.self)
            let active = leases.held(of: groupHash(record), in: record.queue)
            return WaitView(
                state: task.state, reason: .groupConcurrency, until: nil,
                detail: "\(active) tasks of group '\(group)' are in hand: one must end, or GROUPCONCURRENCY grow")
        }
    }

    private func whyOrdered<A>(
        _ task: TaskView, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> WaitView? {
        let sequence = task.id.sequence
        guard let place = try self.task(sequence, transaction).flatMap(orderPlace),
            let other = try predecessor(of: sequence, in: place, transaction)
        else { return nil }
        let (state, _) = try whereabouts(of: other, now, transaction)
        let key = String(decoding: task.order ?? [], as: UTF8.self)
        return WaitView(
            state: task.state, reason: .order, until: nil,
            detail: "\(broker.id(other)) is \(state?.name ?? "gone") and must end first: its ORDER key is '\(key)', too"
        )
    }

    /// The task that a queue would hand out now, were nothing in the way: `candidate` without its memory.
    private func next<A>(
        of queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Candidate? {
        let state = self.queue(queue)
        var (fresh, retry): (Candidate?, Candidate?) = (nil, nil)
        var heads: [Candidate] = []
        var shortage: Set<UInt32> = []
        for index in 0..<WaitingRange.count where state.waiting[index] > 0 {
            let range = WaitingRange(index: index)
            guard var head = try nextHead(of: queue, range, &shortage, now, transaction) else { continue }
            if let aging = state.options.aging {
                head.priority = Int(min(10, Int64(range.priority) + (now - head.key.due) / aging))
            }
            if range.lane == .fresh, fresh.map(head.precedes) ?? true { fresh = head }
            if range.lane == .retry, retry.map(head.precedes) ?? true { retry = head }
            heads.append(head)
        }
        if state.takesTurns {
            for head in heads.sorted(by: { $0.precedes($1) }) {
                if let next = try nextInTurn(queue, head.key.range.priority, &shortage, now, transaction) {
                    return next
                }
            }
            return nil
        }
        guard let fresh, let retry else { return fresh ?? retry }
        guard fresh.priority == retry.priority else { return fresh.priority > retry.priority ? fresh : retry }
        let turn = state.contested[fresh.priority - 1] + 1
        return Self.retryTurn(turn, share: Int64(state.retryShare)) ? retry : fresh
    }

    /// `head` without its memory; in a queue whose groups take turns, the first task whoever's turn it is.
    private func nextHead<A>(
        of queue: UInt32, _ range: WaitingRange, _ shortage: inout Set<UInt32>, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Candidate? {
        var heads: [Candidate] = []
        for limits in [0] + limitLines.sets(of: queue, range) {
            if let head = try nextHead(of: queue, range, limits, now, transaction) { heads.append(head) }
        }
        heads.sort { $0.precedes($1) }
        if self.queue(queue).takesTurns { return heads.first }
        for head in heads {
            if try canBePaid(head, &shortage, transaction, now) { return head }
        }
        return nil
    }

    func nextHead<A>(
        of queue: UInt32, _ range: WaitingRange, _ limits: UInt16, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Candidate? {
        let state = self.queue(queue)
        if state.settings.boundsGroups, !state.takesTurns {
            guard state.lining == .full else { return try openHead(queue, range, limits, now, transaction) }
            return try headsNow(of: Round(queue: queue, limits: limits, range: range), now, transaction).first
        }
        let prefix = WaitingKey.prefix(queue: queue, range: range, limits: limits)
        guard let first = try transaction.first(Tables.waiting, from: prefix, prefix: prefix) else { return nil }
        let head = Candidate(WaitingKey(first.key), first.flags)
        return head.key.due <= now ? head : nil
    }

    /// The task of the group whose turn it is.
    private func nextInTurn<A>(
        _ queue: UInt32, _ priority: Int, _ shortage: inout Set<UInt32>, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Candidate? {
        var turns: [(at: Stamp, round: Round)] = []
        for limits in [0] + limitLines.sets(of: queue) {
            let round = Round(queue: queue, limits: limits, priority: priority)
            guard let first = try transaction.first(Tables.turns, from: round.prefix, prefix: round.prefix) else {
                continue
            }
            turns.append((GroupTurn.readTurn(first.key).at, round))
        }
        for turn in turns.sorted(by: { $0.at < $1.at }) {
            var heads: [Candidate] = []
            for head in try headsNow(of: turn.round, now, transaction) {
                if try canBePaid(head, &shortage, transaction, now) { heads.append(head) }
            }
            guard heads.count == 2 else {
                if let only = heads.first { return only }
                continue
            }
            let state = self.queue(queue)
            let turn = state.contested[priority - 1] + 1
            return Self.retryTurn(turn, share: Int64(state.retryShare)) ? heads[1] : heads[0]
        }
        return nil
    }
}

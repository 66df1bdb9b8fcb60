import MartletProtocol
import MartletStorage

/// What holds a queue's hand-outs back as a whole: its BREAKER and its LIMIT.
enum Gate: Hashable {
    case breaker(UInt32)
    /// Of tokens, and so many are needed.
    case limit(UInt32, Int64)
}

extension Engine {
    /// What holds a queue's hand-outs back now; `nil`: nothing.
    func gate(of queue: UInt32, _ now: Timestamp) -> Gate? {
        let options = queues[Int(queue) - 1].options
        if let name = options.breaker, let number = breakers.number(name), let breaker = breakers[number],
            !breaker.allows(now)
        {
            return .breaker(number)
        }
        if let name = options.limit, let number = limits.number(name), let limit = limits[number],
            !limit.hasTokens(1, now)
        {
            return .limit(number, 1)
        }
        return nil
    }

    /// Why a task of a queue that a gate holds back is not running.
    func whyHeldBack(_ task: TaskView, _ gate: Gate, _ now: Timestamp) -> WaitView {
        switch gate {
        case .breaker(let number):
            let breaker = breakers[number]?.at(now)
            let name = String(decoding: breaker?.name ?? [], as: UTF8.self)
            let stands =
                breaker?.phase == .halfOpen
                ? "is half open and its probes are out: their ends decide" : "is open and lets probes through then"
            return WaitView(
                state: task.state, reason: .breaker, until: breaker.map { $0.since + $0.settings.cool },
                detail: "breaker '\(name)' of its queue \(stands); BREAKER.RESET \(name) closes it")
        case .limit(let number, let cost):
            let limit = limits[number]
            let name = String(decoding: limit?.name ?? [], as: UTF8.self)
            var until: Timestamp?
            if let limit, case .tokens(let bucket) = limit.kind, limit.takers.isEmpty {
                until = bucket.instant(for: cost)
            }
            return WaitView(
                state: task.state, reason: .queueLimit, until: until,
                detail: "limit '\(name)' has no token for its queue; one comes by itself, sooner at a higher RATE")
        }
    }

    /// A task of the queue is handed out: a token is taken, or a probe let through. Of a limit that the task names
    /// itself it takes what it says there.
    mutating func passGates(of queue: UInt32, _ task: TaskRecord, _ now: Timestamp) {
        let options = queues[Int(queue) - 1].options
        if let name = options.breaker, let number = breakers.number(name), let breaker = breakers[number],
            breaker.phase != .closed
        {
            change(breaker: number, now) { $0.letThrough(now) }
        }
        if let name = options.limit, let number = limits.number(name), limits[number]?.isOfSlots == false,
            !(task.limits.map { limitSets[$0.set].contains(name) } ?? false)
        {
            change(limit: number) { _ = $0.take(1, until: now, now) }
        }
    }

    /// Blocked callers were found nothing for because of these gates: they are looked after when one opens.
    mutating func waitAtGates() {
        for (gate, queue) in heldBack {
            switch gate {
            case .breaker(let number): change(queuesAtBreaker: number) { $0.insert(queue) }
            case .limit(let number, let cost): change(limit: number, isStored: false) { $0.queues[queue] = cost }
            }
        }
        heldBack.removeAll(keepingCapacity: true)
    }

    /// The queue is bound to other gates from now on.
    mutating func leaveGates(_ queue: UInt32) {
        for number in breakers.busy { change(queuesAtBreaker: number) { $0.remove(queue) } }
        for number in limits.busy where limits[number]?.queues[queue] != nil {
            change(limit: number, isStored: false) { $0.queues[queue] = nil }
        }
        touched.insert(queue)
    }

    /// The queues whose gates have opened are looked at once more.
    mutating func openGates(_ now: Timestamp) {
        for number in breakers.busy {
            guard let breaker = breakers[number], breaker.allows(now) else { continue }
            touched.formUnion(breaker.queues)
            change(queuesAtBreaker: number) { $0.removeAll() }
        }
        for number in limits.busy {
            guard let limit = limits[number], !limit.queues.isEmpty else { continue }
            for (queue, cost) in limit.queues where limit.hasTokens(cost, now) {
                touched.insert(queue)
                change(limit: number, isStored: false) { $0.queues[queue] = nil }
            }
        }
    }

    /// When a gate that somebody waits at opens by itself; `nil`: there is none.
    var nextGateInstant: Timestamp? { breakers.busy.compactMap { breakers[$0]?.nextInstant }.min() }
}

extension LimitState {
    /// Whether a task may take so many tokens: those who wait in LIMIT.TAKE come first. Slots hold no task back.
    func hasTokens(_ cost: Int64, _ now: Timestamp) -> Bool {
        guard case .tokens(let bucket) = kind else { return true }
        return takers.isEmpty && bucket.available(at: now) >= min(cost, bucket.burst)
    }
}

internal import MartletEngine
internal import MartletProtocol

/// A breaker as a list of what happened to it: how it stands is told from the beginning, every time.
struct ModelBreaker {
    var settings: BreakerSettings
    var events: [(at: Timestamp, what: Event)] = []

    enum Event {
        case failed
        case succeeded
        case letThrough
        case tripped
        case reset
        case changed(BreakerSettings)
    }

    /// How it stands.
    struct Standing {
        var phase = BreakerPhase.closed
        var failures: [Timestamp] = []
        var since: Timestamp = 0
        var sent: Int64 = 0
        var succeeded: Int64 = 0
        /// The phases it came into.
        var phases: [BreakerPhase] = []
    }

    init(_ settings: BreakerSettings) {
        self.settings = settings
        first = settings
    }

    private let first: BreakerSettings

    func standing(_ now: Timestamp) -> Standing {
        var rules = first
        var standing = Standing()
        var phases: [BreakerPhase] = []
        func note() {
            if standing.phase != phases.last ?? .closed { phases.append(standing.phase) }
        }
        for event in events {
            standing = Self.later(standing, rules, event.at)
            note()
            if case .changed(let settings) = event.what {
                rules = settings
                if standing.phase == .halfOpen, standing.succeeded >= rules.probes { standing = Standing() }
            } else {
                Self.happen(event.what, event.at, rules, &standing)
            }
            note()
        }
        standing = Self.later(standing, rules, now)
        note()
        standing.phases = phases
        return standing
    }

    /// When it has cooled down; `nil`: it is not open.
    func cooledAt(_ now: Timestamp) -> Timestamp? {
        let standing = standing(now)
        return standing.phase == .open ? standing.since + settings.cool : nil
    }

    /// What time alone does.
    private static func later(_ before: Standing, _ rules: BreakerSettings, _ now: Timestamp) -> Standing {
        var standing = before
        standing.failures = standing.failures.filter { now - $0 < rules.per }
        if standing.phase == .open, now - standing.since >= rules.cool {
            (standing.phase, standing.sent, standing.succeeded) = (.halfOpen, 0, 0)
        } else if standing.phase == .halfOpen, now - standing.since >= rules.cool {
            standing.sent = standing.succeeded
        }
        return standing
    }

    private static func happen(
        _ event: Event, _ at: Timestamp, _ rules: BreakerSettings, _ standing: inout Standing
    ) {
        switch (event, standing.phase) {
        case (.tripped, _), (.failed, .halfOpen): standing = Standing(phase: .open, since: at)
        case (.reset, _): standing = Standing()
        case (.failed, .closed):
            standing.failures.append(at)
            if standing.failures.count >= rules.fails { standing = Standing(phase: .open, since: at) }
        case (.succeeded, .halfOpen):
            standing.succeeded += 1
            standing.sent = max(standing.sent, standing.succeeded)
            if standing.succeeded == rules.probes || standing.succeeded > rules.probes { standing = Standing() }
        case (.letThrough, .halfOpen):
            if standing.sent == standing.succeeded { standing.since = at }
            standing.sent += 1
        default: break
        }
    }

    func allows(_ now: Timestamp) -> Bool {
        let standing = standing(now)
        return standing.phase == .closed || standing.phase == .halfOpen && standing.sent < settings.probes
    }

    func view(_ name: Bytes, _ now: Timestamp) -> BreakerSight {
        let standing = standing(now)
        return BreakerSight(
            name: name, phase: standing.phase, settings: settings, failures: Int64(standing.failures.count),
            openedAt: standing.phase == .open ? standing.since : nil,
            retryAt: allows(now) ? nil : standing.since + settings.cool)
    }
}

/// BREAKER.*, and what holds queues back as a whole.
extension Model {
    mutating func set(_ request: BreakerSetRequest, _ now: Timestamp) -> Outcome {
        if breakers[request.name] == nil { breakers[request.name] = ModelBreaker(request.settings) }
        breakers[request.name]?.settings = request.settings
        breakers[request.name]?.events.append((now, .changed(request.settings)))
        return .ok
    }

    mutating func breaker(_ request: BreakerRequest, _ now: Timestamp) -> Outcome {
        guard let breaker = breakers[request.name] else { return .refused(.error) }
        switch request.verb {
        case .allow:
            let isAllowed = breaker.allows(now)
            if isAllowed { breakers[request.name]?.events.append((now, .letThrough)) }
            return .allowed(breaker.standing(now).phase, isAllowed)
        case .succeed: breakers[request.name]?.events.append((now, .succeeded))
        case .fail: breakers[request.name]?.events.append((now, .failed))
        case .trip: breakers[request.name]?.events.append((now, .tripped))
        case .reset: breakers[request.name]?.events.append((now, .reset))
        case .delete:
            let phases = breaker.standing(now).phases
            let isClosed = phases.last ?? .closed == .closed
            deletedPhases[request.name, default: []] += phases + (isClosed ? [] : [.closed])
            breakers[request.name] = nil
        }
        return .ok
    }

    /// The phases that breakers of each name came into, as the stream tells them.
    func breakerPhases(_ now: Timestamp) -> [Bytes: [BreakerPhase]] {
        deletedPhases.merging(breakers.mapValues { $0.standing(now).phases }, uniquingKeysWith: +)
    }

    func breakerView(_ name: Bytes, _ now: Timestamp) -> Outcome {
        breakers[name].map { .breakers([$0.view(name, now)]) } ?? .refused(.error)
    }

    func breakerViews(_ now: Timestamp) -> Outcome {
        .breakers(breakers.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { $0.value.view($0.key, now) })
    }

    /// An attempt at a task of this queue ended; `kind` of a failure.
    mutating func feedBreaker(of queue: Bytes, _ at: Timestamp, failed: Bool, kind: Bytes? = nil) {
        guard let name = options[queue]?.breaker, let breaker = breakers[name] else { return }
        let kinds = breaker.settings.kinds
        if failed, !kinds.isEmpty, !(kind.map(kinds.contains) ?? false) { return }
        breakers[name]?.events.append((at, failed ? .failed : .succeeded))
    }

    /// Whether the queue's breaker or limit holds it back.
    func isHeldBack(_ queue: Bytes, _ now: Timestamp) -> Bool {
        if let name = options[queue]?.breaker, let breaker = breakers[name], !breaker.allows(now) { return true }
        guard let name = options[queue]?.limit, let limit = limits[name], case .tokens = limit.kind else {
            return false
        }
        return !limit.calls.isEmpty || limit.available(now) < 1
    }

    /// A task is handed out.
    mutating func passGates(of task: ModelTask, _ now: Timestamp) {
        if let name = options[task.queue]?.breaker { breakers[name]?.events.append((now, .letThrough)) }
        var taken = task.limits
        if let name = options[task.queue]?.limit, !taken.contains(where: { $0.name == name }) {
            taken.append(LimitCost(name: name))
        }
        for limit in taken {
            guard case .tokens(_, _, let burst)? = limits[limit.name]?.kind else { continue }
            limits[limit.name]?.take(min(limit.cost, burst), now)
            if let excess = limits[limit.name]?.excess { complaints.append("limit: \(excess)") }
        }
    }

    /// Whether there is a task then for somebody who waits.
    func hasWork(at instant: Timestamp) -> Bool {
        calls.contains { next(of: $0.request, token: nil, instant) != nil }
    }

    /// When a queue that is held back may go on by itself.
    var gateInstants: [Timestamp] {
        options.values.flatMap { options -> [Timestamp] in
            var instants: [Timestamp] = []
            if let name = options.limit, let limit = limits[name], case .tokens = limit.kind {
                let from = limit.takes.last?.at ?? limit.since
                instants.append(from + limit.wait(1, from))
            }
            if let name = options.breaker, let breaker = breakers[name] {
                instants.append(breaker.standing(settledTo ?? 0).since + breaker.settings.cool)
            }
            return instants
        } + limits.values.flatMap { limit in [1, 2, 3, 7, limit.most].map { limit.instant(for: $0) } }
    }
}

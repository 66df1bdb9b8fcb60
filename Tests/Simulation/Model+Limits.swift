internal import MartletEngine
internal import MartletProtocol

/// A limit as a list of what was taken: what it holds is counted anew from the first of it, every time.
struct ModelLimit {
    var kind: LimitSetRequest.Kind
    /// When it was set to this, and with how many parts of a token.
    var since: Timestamp
    var level: Int64
    /// Since then, the oldest first.
    var takes: [(at: Timestamp, cost: Int64)] = []
    var permits: [Int64: (slots: Int64, until: Timestamp)] = [:]
    var newestPermit: Int64 = 0
    var granted: Int64 = 0
    var refused: Int64 = 0
    /// For the utilisation: since it was set or reset, or PER changed.
    var uses: [(at: Timestamp, cost: Int64)] = []
    var calls: [(request: LimitTakeRequest, deadline: Timestamp?)] = []

    /// What it holds in parts of a token, and since when it holds so much.
    func parts(_ now: Timestamp) -> Int64 {
        guard case .tokens(let rate, let per, let burst) = kind else { return 0 }
        var (level, at) = (level, since)
        for take in takes {
            level = min(burst * per, level + (take.at - at) * rate) - take.cost * per
            at = take.at
        }
        return min(burst * per, level + (now - at) * rate)
    }

    func available(_ now: Timestamp) -> Int64 {
        switch kind {
        case .tokens(_, let per, _): parts(now) / per
        case .slots(let slots): max(0, slots - permits.values.reduce(0) { $0 + $1.slots })
        }
    }

    var most: Int64 {
        switch kind {
        case .tokens(_, _, let burst): burst
        case .slots(let slots): slots
        }
    }

    /// How long until there is so much, found by trying; of slots until so many permits end.
    func wait(_ cost: Int64, _ now: Timestamp) -> Milliseconds {
        switch kind {
        case .tokens(let rate, let per, _):
            let missing = cost * per - parts(now)
            return missing <= 0 ? 0 : (missing + rate - 1) / rate
        case .slots(let slots):
            var free = slots - permits.values.reduce(0) { $0 + $1.slots }
            var last = now
            for permit in permits.values.sorted(by: { $0.until < $1.until }) where free < cost {
                (free, last) = (free + permit.slots, permit.until)
            }
            return last - now
        }
    }

    func reset(_ now: Timestamp) -> Milliseconds {
        if case .tokens(_, _, let burst) = kind { return wait(burst, now) }
        return max(0, permits.values.map { $0.until - now }.max() ?? 0)
    }

    func utilisation(_ now: Timestamp) -> Double {
        switch kind {
        case .slots(let slots): return min(1, Double(permits.values.reduce(0) { $0 + $1.slots }) / Double(slots))
        case .tokens(let rate, let per, _):
            let this = uses.filter { $0.at / per == now / per }.reduce(0) { $0 + $1.cost }
            let last = uses.filter { $0.at / per == now / per - 1 }.reduce(0) { $0 + $1.cost }
            let left = Double(per - now % per) / Double(per)
            return min(1, (Double(this) + Double(last) * left) / Double(rate))
        }
    }

    mutating func take(_ cost: Int64, _ now: Timestamp) {
        takes.append((now, cost))
        uses.append((now, cost))
        granted += 1
    }

    /// As a restart leaves it.
    var restarted: ModelLimit {
        var limit = self
        (limit.calls, limit.refused) = ([], 0)
        return limit
    }

    /// A window with more than BURST + RATE·t/PER in it; `nil`: there is none that ends with the newest take.
    var excess: String? {
        guard case .tokens(let rate, let per, let burst) = kind, let newest = takes.last else { return nil }
        var taken: Int64 = 0
        for take in takes.reversed() {
            taken += take.cost
            let span = newest.at - take.at
            if (taken - burst) * per > rate * span { return "\(taken) tokens in \(span) ms" }
        }
        return nil
    }

    var nextInstant: Timestamp? {
        var instants = permits.values.map(\.until) + calls.compactMap(\.deadline)
        if case .tokens = kind, let first = calls.first {
            let from = takes.last?.at ?? since
            instants.append(from + wait(first.request.cost, from))
        }
        return instants.min()
    }
}

/// LIMIT.*
extension Model {
    mutating func settleLimits(_ now: Timestamp) {
        limits = limits.mapValues { limit in
            var limit = limit
            limit.permits = limit.permits.filter { $0.value.until > now }
            return limit
        }
    }

    mutating func set(_ request: LimitSetRequest, _ now: Timestamp) -> Outcome {
        var limit = limits[request.name] ?? ModelLimit(kind: request.kind, since: now, level: 0)
        if case (.tokens(_, let old, _), .tokens(_, let per, let burst)) = (limit.kind, request.kind),
            limits[request.name] != nil
        {
            let parts = limit.parts(now)
            limit.level = min(burst * per, parts / old * per + parts % old * per / old)
            if old != per { limit.uses = [] }
        } else {
            if case .tokens(_, let per, let burst) = request.kind { (limit.level, limit.permits) = (burst * per, [:]) }
            limit.uses = []
        }
        (limit.kind, limit.since, limit.takes) = (request.kind, now, [])
        limits[request.name] = limit
        for call in limit.calls where isImpossible(call.request, limit) {
            limits[request.name]?.calls.removeAll { $0.request.caller == call.request.caller }
            finished[call.request.caller] = .refused(.error)
        }
        return .ok
    }

    private func isImpossible(_ request: LimitTakeRequest, _ limit: ModelLimit) -> Bool {
        if case .slots = limit.kind { return request.hold == nil || request.cost > limit.most }
        return request.hold != nil || request.cost > limit.most
    }

    mutating func deleteLimit(_ name: Bytes) -> Outcome {
        guard let limit = limits[name] else { return .refused(.error) }
        for call in limit.calls { finished[call.request.caller] = .refused(.error) }
        limits[name] = nil
        return .ok
    }

    mutating func resetLimit(_ name: Bytes, _ now: Timestamp) -> Outcome {
        guard var limit = limits[name] else { return .refused(.error) }
        if case .tokens(_, let per, let burst) = limit.kind { limit.level = burst * per }
        (limit.since, limit.takes, limit.permits, limit.uses) = (now, [], [:], [])
        (limit.granted, limit.refused) = (0, 0)
        limits[name] = limit
        return .ok
    }

    mutating func take(_ request: LimitTakeRequest, _ now: Timestamp, _ answer: Answer) -> Outcome {
        if let nonce = request.request {
            for name in limits.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                let calls = limits[name]?.calls ?? []
                guard let index = calls.firstIndex(where: { $0.request.request?.nonce == nonce.nonce }) else {
                    continue
                }
                guard calls[index].request.request == nonce else { return .refused(.error) }
                dismissed.append(calls[index].request.caller)
                limits[name]?.calls[index].request.caller = request.caller
                return .blocked
            }
        }
        if let refusal = conflict(request.request, now) { return refusal }
        if let nonce = request.request, isKnown(nonce, now), let known = nonces[nonce.nonce] { return known.outcome }
        guard let limit = limits[request.name], !isImpossible(request, limit) else { return .refused(.error) }
        if limit.calls.isEmpty, let outcome = grant(request, now, answer) { return outcome }
        guard case .upTo(let span) = request.block else {
            limits[request.name]?.refused += 1
            return limited(request, behind: limit.calls.reduce(0) { $0 + $1.request.cost }, now)
        }
        limits[request.name]?.calls.append((request, span == 0 ? nil : now + span))
        return .blocked
    }

    private func limited(_ request: LimitTakeRequest, behind: Int64, _ now: Timestamp) -> Outcome {
        guard let limit = limits[request.name] else { return .refused(.error) }
        return .taken(
            TakeSight(
                isLimited: true, limit: limit.most, remaining: limit.available(now),
                retryAfter: max(1, limit.wait(behind + request.cost, now)), reset: limit.reset(now)))
    }

    /// The permit is the engine's choice, but must be new.
    private mutating func grant(_ request: LimitTakeRequest, _ now: Timestamp, _ answer: Answer) -> Outcome? {
        guard var limit = limits[request.name], limit.available(now) >= request.cost else { return nil }
        var permit: Int64?
        if let hold = request.hold {
            if case .taken(let taken) = answer { permit = taken.permit }
            let number = permit ?? 0
            if number <= limit.newestPermit { complaints.append("permit \(number) is not new") }
            limit.newestPermit = number
            limit.permits[number] = (request.cost, now + hold)
        } else {
            limit.take(request.cost, now)
            if let excess = limit.excess { complaints.append("limit: \(excess)") }
        }
        limit.granted += request.hold == nil ? 0 : 1
        limits[request.name] = limit
        let outcome = Outcome.taken(
            TakeSight(
                isLimited: false, limit: limit.most, remaining: limit.available(now), retryAfter: nil,
                reset: limit.reset(now), permit: permit))
        remember(request.request, outcome, now)
        return outcome
    }

    mutating func give(_ request: LimitGiveRequest) -> Outcome {
        guard limits[request.name] != nil else { return .refused(.error) }
        return .count(limits[request.name]?.permits.removeValue(forKey: request.permit) == nil ? 0 : 1)
    }

    /// Those who wait for tokens, first come first served.
    mutating func serveTakers(_ now: Timestamp, _ answers: [CallerID: Answer]) -> [CallerID: Outcome] {
        var outcomes: [CallerID: Outcome] = [:]
        for name in limits.keys {
            while let first = limits[name]?.calls.first {
                let caller = first.request.caller
                guard let outcome = grant(first.request, now, answers[caller] ?? .ok) else { break }
                outcomes[caller] = outcome
                limits[name]?.calls.removeFirst()
            }
        }
        return outcomes
    }

    mutating func expireTakers(_ now: Timestamp) -> [CallerID: Outcome] {
        settleLimits(now)
        var outcomes: [CallerID: Outcome] = [:]
        for name in limits.keys {
            var behind: Int64 = 0
            for call in limits[name]?.calls ?? [] {
                if call.deadline.map({ $0 <= now }) ?? false {
                    outcomes[call.request.caller] = limited(call.request, behind: behind, now)
                } else {
                    behind += call.request.cost
                }
            }
            limits[name]?.calls.removeAll { outcomes[$0.request.caller] != nil }
        }
        return outcomes
    }

    func limitView(_ name: Bytes, _ now: Timestamp) -> Outcome {
        limits[name].map { .limits([view($0, name, now)]) } ?? .refused(.error)
    }

    func limitViews(_ now: Timestamp) -> Outcome {
        .limits(limits.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { view($0.value, $0.key, now) })
    }

    /// The due tasks that wait for tokens of a limit: their own, or their queue's.
    private func tasks(at name: Bytes, _ now: Timestamp) -> Int64 {
        var count: Int64 = 0
        for (queue, due) in Dictionary(grouping: tasks.values.filter { $0.state == .pending }, by: \.queue) {
            if isHeldBack(queue, now) {
                let breaker = options[queue]?.breaker.flatMap { breakers[$0] }
                if breaker?.allows(now) ?? true, options[queue]?.limit == name { count += Int64(due.count) }
                continue
            }
            for (_, line) in Dictionary(grouping: due.filter { $0.limitSet > 0 }, by: \.limitSet) {
                guard let first = first(ofLineOf: line[0], now), lackedName(first, now) == name else { continue }
                count += Int64(line.count)
            }
        }
        return count
    }

    private func view(_ limit: ModelLimit, _ name: Bytes, _ now: Timestamp) -> LimitSight {
        let waiting = Int64(limit.calls.count) + tasks(at: name, now)
        var view = LimitSight(
            name: name, available: limit.available(now), waiting: waiting, granted: limit.granted,
            refused: limit.refused, utilisation: limit.utilisation(now))
        switch limit.kind {
        case .tokens(let rate, let per, let burst): (view.rate, view.per, view.burst) = (rate, per, burst)
        case .slots(let slots): view.slots = slots
        }
        return view
    }
}

internal import MartletEngine
internal import MartletProtocol

/// LIMIT of a task.
extension Model {
    /// Limits that are not there, or that tasks cannot take so much of.
    func refusal(of wanted: [LimitCost]) -> Outcome? {
        for limit in wanted {
            guard case .tokens(_, _, let burst)? = limits[limit.name]?.kind, limit.cost <= burst else {
                return .refused(.error)
            }
        }
        return nil
    }

    /// Which of the sets that tasks name it is, from 1; operations walk them in this order.
    mutating func limitSet(_ names: [Bytes]) -> Int64 {
        guard !names.isEmpty else { return 0 }
        if !limitSets.contains(names) { limitSets.append(names) }
        return Int64((limitSets.firstIndex(of: names) ?? 0) + 1)
    }

    private func has(_ limit: LimitCost, _ now: Timestamp) -> Bool {
        guard let known = limits[limit.name], case .tokens(_, _, let burst) = known.kind else { return true }
        return known.calls.isEmpty && known.available(now) >= min(limit.cost, burst)
    }

    /// Whether there are tokens for a task, and none that comes before it waits for one of its limits. If there are not
    /// enough, those behind it wait, too.
    func canPay(_ task: ModelTask, _ shortage: inout Set<Bytes>, _ now: Timestamp) -> Bool {
        for limit in task.limits where shortage.contains(limit.name) || !has(LimitCost(name: limit.name), now) {
            return false
        }
        guard let lacking = task.limits.first(where: { !has($0, now) }) else { return true }
        shortage.insert(lacking.name)
        return false
    }

    func lackedName(_ task: ModelTask, _ now: Timestamp) -> Bytes? {
        let empty = task.limits.first { !has(LimitCost(name: $0.name), now) }
        return (empty ?? task.limits.first { !has($0, now) })?.name
    }

    /// The limit that a task waits for: one without any token before one that has too few.
    func lacking(_ task: ModelTask, _ now: Timestamp) -> (ModelLimit, Int64)? {
        let empty = task.limits.first { !has(LimitCost(name: $0.name), now) }
        guard let wanted = empty ?? task.limits.first(where: { !has($0, now) }), let limit = limits[wanted.name] else {
            return nil
        }
        return (limit, min(wanted.cost, limit.most))
    }
}

extension ModelLimit {
    /// When it has so many tokens, if nobody takes any.
    func instant(for cost: Int64) -> Timestamp {
        guard case .tokens = kind else { return .max }
        let from = takes.last?.at ?? since
        return from + wait(cost, from)
    }
}

internal import MartletEngine
internal import MartletProtocol

/// TASK.WHY: the first thing that keeps a task from running.
extension Model {
    func why(_ id: TaskID?, _ now: Timestamp) -> Outcome {
        guard let id, let task = tasks[id] else { return .refused(.noTask) }
        switch shown(task, now) {
        case .active: return task.waits(.running, until: task.deadline)
        case .scheduled:
            let failed = task.isRetry && task.lastError != nil
            return task.waits(failed ? .backoff : .scheduled, until: task.runAt)
        case .pending: return whyPending(task, now)
        case .blocked where task.state == .pending: return whyHeldUp(task, now)
        case .blocked: return task.waits(task.open.isEmpty ? .order : .after, until: nil)
        case .completed, .dead, .cancelled, .expired: return task.waits(.ended, until: task.keepUntil)
        }
    }

    private func whyPending(_ task: ModelTask, _ now: Timestamp) -> Outcome {
        if isPaused(task.queue, \.handingOut, now) {
            let until = pauses[task.queue]?.handingOut
            return task.waits(.paused, until: until == .max ? nil : until)
        }
        if !hasSlot(task.queue) { return task.waits(.concurrency, until: nil) }
        if let name = options[task.queue]?.breaker, let breaker = breakers[name], !breaker.allows(now) {
            return task.waits(.breaker, until: breaker.standing(now).since + breaker.settings.cool)
        }
        if isHeldBack(task.queue, now), let name = options[task.queue]?.limit, let limit = limits[name] {
            let from = limit.takes.last?.at ?? limit.since
            return task.waits(.queueLimit, until: limit.calls.isEmpty ? from + limit.wait(1, from) : nil)
        }
        let isNext = next(of: task.queue, now)?.id == task.id
        return task.waits(isNext ? .noWorker : .behind, until: nil)
    }

    /// What the first one of a task's line waits for.
    private func lackingOfFirst(_ task: ModelTask, _ now: Timestamp) -> (ModelLimit, Int64)? {
        guard let own = tasks[task.id], let first = first(ofLineOf: own, now) else { return nil }
        return lacking(first, now)
    }

    private func whyHeldUp(_ task: ModelTask, _ now: Timestamp) -> Outcome {
        var task = task
        task.state = .blocked
        if !hasGroupSlot(task) { return task.waits(.groupConcurrency, until: nil) }
        guard let (limit, cost) = lacking(task, now) ?? lackingOfFirst(task, now) else {
            return task.waits(.limit, until: nil)
        }
        return task.waits(.limit, until: limit.calls.isEmpty ? limit.instant(for: cost) : nil)
    }
}

extension ModelTask {
    fileprivate func waits(_ reason: WaitReason, until: Timestamp?) -> Outcome {
        .why(WaitSight(state: state, reason: reason, until: until))
    }
}

internal import MartletEngine
internal import MartletProtocol

/// Until when a queue is paused; in the past: it is not.
struct Pause {
    var adding = Timestamp.min
    var handingOut = Timestamp.min
    var isDraining = false
}

/// A blocked QUEUE.DRAIN.
struct ModelDrain {
    var request: QueueDrainRequest
    /// `nil`: for ever.
    var deadline: Timestamp?
}

/// QUEUE.SET, GET, PAUSE, RESUME, DEL, and KEEPMAX.
extension Model {
    mutating func set(_ request: QueueSetRequest, _ now: Timestamp) -> Outcome {
        if let name = request.options.limit {
            guard let limit = limits[name], case .tokens = limit.kind else { return .refused(.error) }
        }
        if let name = request.options.breaker, breakers[name] == nil { return .refused(.error) }
        totals[request.queue, default: Totals()].added += 0
        var set = options[request.queue, default: QueueOptions()]
        let new = request.options
        for option in request.given {
            switch option {
            case .priority: set.task.priority = new.task.priority
            case .retries: set.task.retries = new.task.retries
            case .backoff: set.task.backoff = new.task.backoff
            case .jitter: set.task.jitter = new.task.jitter
            case .lease: set.task.lease = new.task.lease
            case .timeout: set.task.timeout = new.task.timeout
            case .timeToLive: set.task.timeToLive = new.task.timeToLive
            case .keep: set.task.keep = new.task.keep
            case .keepMax: set.keepMax = new.keepMax
            case .retryShare: set.retryShare = new.retryShare
            case .deadMax: set.deadMax = new.deadMax
            case .maxLength:
                set.maxLength = new.maxLength
                bounded.insert(request.queue)
            case .concurrency: set.concurrency = new.concurrency
            case .groupConcurrency: set.groupConcurrency = new.groupConcurrency
            case .aging: set.aging = new.aging
            case .limit: set.limit = new.limit
            case .breaker: set.breaker = new.breaker
            case .fair: set.fair = new.fair
            }
        }
        options[request.queue] = set
        removeSurplus(now)
        return .ok
    }

    func queueOptions(_ name: Bytes) -> Outcome {
        totals[name] == nil ? .refused(.noQueue) : .queueOptions(options[name, default: QueueOptions()])
    }

    mutating func pause(_ request: QueuePauseRequest, _ now: Timestamp) -> Outcome {
        totals[request.queue, default: Totals()].added += 0
        let until = request.span.map { now + $0 } ?? .max
        if request.direction != .handingOut { pauses[request.queue, default: Pause()].adding = until }
        if request.direction != .adding { pauses[request.queue, default: Pause()].handingOut = until }
        return .ok
    }

    mutating func resume(_ request: QueueRequest) -> Outcome {
        guard totals[request.queue] != nil else { return .refused(.noQueue) }
        pauses[request.queue] = nil
        return .ok
    }

    mutating func drain(_ request: QueueDrainRequest, _ now: Timestamp) -> Outcome {
        guard totals[request.queue] != nil else { return .refused(.noQueue) }
        pauses[request.queue, default: Pause()].isDraining = true
        bounded.insert(request.queue)
        guard case .upTo(let span) = request.block, outcome(ofDraining: request.queue) == nil else { return .ok }
        drains[request.caller] = ModelDrain(request: request, deadline: span == 0 ? nil : now + span)
        return .blocked
    }

    private func outcome(ofDraining queue: Bytes) -> Outcome? {
        guard tasks.values.contains(where: { $0.queue == queue && !$0.state.isEnded }) else { return .ok }
        return pauses[queue]?.isDraining == true ? nil : .bytes(nil)
    }

    /// Those who wait for a queue to be empty.
    mutating func serveDrains(_ now: Timestamp) -> [CallerID: Outcome] {
        var outcomes: [CallerID: Outcome] = [:]
        for (caller, drain) in drains {
            guard let outcome = outcome(ofDraining: drain.request.queue) else { continue }
            outcomes[caller] = outcome
            drains[caller] = nil
            if outcome == .ok { remember(drain.request.request, .ok, now) }
        }
        return outcomes
    }

    /// Why a queue does not take so many more tasks.
    func refusal(ofAdding more: Int, to queue: Bytes, _ now: Timestamp) -> Outcome? {
        guard more > 0, let most = options[queue]?.maxLength else { return nil }
        let length = tasks.values.count { $0.queue == queue && !$0.state.isEnded && $0.state != .active }
        return length + more > Int(most) ? .refused(.queueFull) : nil
    }

    func isClosed(_ queue: Bytes, _ now: Timestamp) -> Outcome? {
        if isPaused(queue, \.adding, now) { return .refused(.paused) }
        return pauses[queue]?.isDraining == true ? .refused(.draining) : nil
    }

    func isPaused(_ queue: Bytes, _ direction: KeyPath<Pause, Timestamp>, _ now: Timestamp) -> Bool {
        pauses[queue].map { $0[keyPath: direction] > now } ?? false
    }

    /// The queue is gone at once; how long the caller waits is the engine's business.
    mutating func delete(_ request: QueueRequest, _ now: Timestamp, _ answer: Answer) -> Outcome {
        let name = request.queue
        guard totals[name] != nil else { return .refused(.noQueue) }
        if operations.values.count(where: \.isRunning) >= Limits.operations { return .refused(.error) }
        guard !tasks.values.contains(where: { $0.queue == name && $0.state == .active }) else {
            return .refused(.badState)
        }
        for number in operations.keys.sorted() where operations[number]?.queue == name { end(number, "stopped", now) }
        goneWithQueue.formUnion(homes.filter { $0.value == name }.keys)
        tasks = tasks.filter { $0.value.queue != name }
        holds = holds.filter { $0.key.queue != name }
        contested = contested.filter { $0.key.queue != name }
        (totals[name], options[name], pauses[name]) = (nil, nil, nil)
        guard case .blocked = answer else { return .ok }
        newestOperation += 1
        removals[request.caller] = .some(request.request)
        return .blocked
    }

    /// Whether KEEPMAX or DLQMAX is set anywhere.
    var keepsFew: Bool { options.values.contains { $0.keepMax != nil || $0.deadMax != nil } }

    /// Past KEEPMAX and DLQMAX what ended first goes first.
    mutating func removeSurplus(_ time: Timestamp) {
        for (queue, options) in options {
            for (most, isDead) in [(options.keepMax, false), (options.deadMax, true)] {
                guard let most else { continue }
                var kept = tasks.values.filter {
                    $0.queue == queue && $0.state.isEnded && ($0.state == .dead) == isDead
                }
                kept.sort { ($0.endedAt ?? 0, $0.id) < ($1.endedAt ?? 0, $1.id) }
                for task in kept.dropLast(Int(most)) { delete(task.id, time) }
            }
        }
    }

    func deadKinds(_ request: DeadKindsRequest) -> Outcome {
        let dead = tasks.values.filter { $0.queue == request.queue && $0.state == .dead }
        let kinds = Dictionary(grouping: dead, by: \.errorKind)
        return .deadKinds(kinds.map { KindSight(kind: $0.key, count: Int64($0.value.count)) }.sorted())
    }

    mutating func retry(_ request: RetryRequest, _ now: Timestamp) -> Outcome {
        guard let id = request.id, let task = tasks[id] else { return .refused(.noTask) }
        guard task.state.isEnded || task.state == .scheduled else { return .refused(.badState) }
        guard revive(id, reset: request.reset, now) else { return .refused(.duplicate) }
        return .state(shown(id, now) ?? .pending)
    }

    /// Back into the line: due now, with a new time to live and at least one more attempt; `false`: another task holds
    /// its key.
    mutating func revive(_ id: TaskID, reset: Bool, _ now: Timestamp) -> Bool {
        guard var task = tasks[id] else { return false }
        if let key = task.unique?.key {
            let holder = holds[KeyName(queue: task.queue, key: key)]?.id
            if let holder, holder != id { return false }
            if holder == nil { takeKey(of: id, now) }
        }
        if reset { task.attempt = 0 } else { task.retries = max(task.retries, task.attempt) }
        if task.isWaiting { leaveLine(id) }
        task.runAt = now
        task.expiresAt = task.timeToLive.map { now + $0 }
        (task.endedAt, task.result) = (nil, nil)
        tasks[id] = task
        if task.state.isEnded { rejoin(id) }
        move(id, .pending, "retry", now)
        keepOrder(task, now)
        return true
    }
}

import MartletProtocol
import MartletStorage

/// What is said of a queue as a whole.
extension Engine {
    /// Ended tasks past a lowered KEEPMAX or DLQMAX that go at once; the others follow in slices.
    private static let surplusAtOnce = 1_000

    mutating func set(
        _ request: QueueSetRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        if let refusal = refusal(of: request) { return .refused(refusal) }
        // What failed before is none of a new breaker's business.
        if request.given.contains(.breaker) { try endLeases(by: now, limit: Self.settleLimit, transaction) }
        let number = try queueNumber(request.queue, transaction)
        var options = queues[Int(number) - 1].options
        for option in request.given { option.copy(from: request.options, to: &options) }
        let before = queues[Int(number) - 1].options.groupConcurrency
        change(number) { $0.settings = QueueSettings(options) }
        // What held tasks back may hold them no more.
        touched.insert(number)
        try changeSlots(of: number, from: before, transaction)
        try line(number, now, transaction)
        try removeSurplus(number, limit: Self.surplusAtOnce, now, transaction)
        if request.given.contains(.limit) || request.given.contains(.breaker) { leaveGates(number) }
        return remember(request.request, .ok)
    }

    /// A limit or a breaker that is not there, or is not meant for queues.
    private func refusal(of request: QueueSetRequest) -> CommandError? {
        if let name = request.options.limit {
            guard let number = limits.number(name) else { return Self.noLimit(name) }
            if limits[number]?.isOfSlots ?? false { return Self.slotsHoldNoTask(name) }
        }
        if let name = request.options.breaker, breakers.number(name) == nil { return Self.noBreaker(name) }
        return nil
    }

    static func slotsHoldNoTask(_ name: Bytes) -> CommandError {
        let shown = String(decoding: name, as: UTF8.self)
        return CommandError(
            .error, "limit '\(shown)' has SLOTS, which LIMIT.TAKE holds; tasks take a limit with a RATE")
    }

    mutating func pause(
        _ request: QueuePauseRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        if let span = request.span, span > Limits.latestTime - now {
            return .refused(CommandError(.error, "FOR \(span) ends past the latest time, \(Limits.latestTime) ms"))
        }
        let number = try queueNumber(request.queue, transaction)
        let until = request.span.map { now + $0 } ?? .max
        var pause = queues[Int(number) - 1].pause.cleared(by: now)
        if request.direction != .handingOut { pause.adding = until }
        if request.direction != .adding { pause.handingOut = until }
        try setPause(pause, number, transaction)
        return remember(request.request, .ok)
    }

    mutating func resume(
        _ request: QueueRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let number = queueNumbers[request.queue] else { return .refused(Self.unknownQueue(request.queue)) }
        try setPause(QueuePause(), number, transaction)
        change(number) { $0.isDraining = false }
        touched.insert(number)
        return remember(request.request, .ok)
    }

    /// A queue's pause is another from now on; the timer is set for its end.
    mutating func setPause(
        _ pause: QueuePause, _ queue: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let before = queues[Int(queue) - 1].pause
        guard pause != before else { return }
        if let at = before.nextEnd {
            try transaction.delete(
                Tables.timers, TimerKey(at: at, kind: .resume, sequence: 0, queue: queue).bytes)
        }
        change(queue) { $0.pause = pause }
        try setTimer(pause.nextEnd, .resume, 0, queue, transaction)
    }

    /// A pause's time is over: blocked callers are looked after.
    mutating func endPause(
        _ queue: UInt32, at: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try setPause(queues[Int(queue) - 1].pause.cleared(by: at), queue, transaction)
        touched.insert(queue)
    }

    /// Why nothing is added to a queue now; `nil`: it may be.
    func refusal(ofAddingTo queue: Bytes, _ now: Timestamp) -> CommandError? {
        guard let number = queueNumbers[queue] else { return nil }
        let (isPaused, isDraining) = (
            queues[Int(number) - 1].pause.adding > now, queues[Int(number) - 1].isDraining
        )
        guard isPaused || isDraining else { return nil }
        let name = String(decoding: queue, as: UTF8.self)
        return isPaused
            ? CommandError(.paused, "queue '\(name)' takes no tasks until QUEUE.RESUME; try again later")
            : CommandError(.draining, "queue '\(name)' is finishing what it has; QUEUE.RESUME opens it again")
    }

    /// Why a queue cannot grow by so many tasks; `nil`: it can. Counts are brought up to date first where they count.
    mutating func refusal(
        ofGrowing queue: Bytes, by more: Int, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        try bringUpToDate(queue, now, transaction)
        return refusal(ofGrowing: queue, by: more)
    }

    /// What is due happens where it says how many tasks a queue with MAXLEN holds; any task may be elsewhere after it.
    mutating func bringUpToDate(
        _ queue: Bytes, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let number = queueNumbers[queue], queues[Int(number) - 1].settings.options.maxLength != nil else {
            return
        }
        if isBehind(at: now) { try catchUp(to: now, transaction) }
    }

    /// The same by the counts there are.
    func refusal(ofGrowing queue: Bytes, by more: Int) -> CommandError? {
        guard let number = queueNumbers[queue], let most = queues[Int(number) - 1].settings.options.maxLength else {
            return nil
        }
        let length = queues[Int(number) - 1].length
        guard Int64(more) > most - length else { return nil }
        let name = String(decoding: queue, as: UTF8.self)
        return CommandError(.queueFull, "queue '\(name)' holds \(length) of MAXLEN \(most) tasks; try again later")
    }

    static func unknownQueue(_ name: Bytes) -> CommandError {
        let shown = String(decoding: name, as: UTF8.self)
        return CommandError(
            .noQueue, "no queue '\(shown)'; a queue appears with its first task, QUEUE.SET or QUEUE.PAUSE")
    }

    /// Past KEEPMAX and DLQMAX the oldest ended tasks go, so many at once; a timer sees to the rest.
    mutating func removeSurplus(
        _ queue: UInt32, limit: Int, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        for _ in 0..<limit {
            guard let states = surplus(queue), let oldest = try oldest(of: states, queue, transaction) else { return }
            if try !removeEnded(oldest.sequence, at: now, transaction) { try putAside(oldest, transaction) }
        }
        guard surplus(queue) != nil else { return }
        try setTimer(now, .surplus, 0, queue, transaction)
    }

    /// The states of which there are more than KEEPMAX or DLQMAX allows.
    private func surplus(_ queue: UInt32) -> [TaskState]? {
        let index = Int(queue) - 1
        let kept = queues[index][.completed] + queues[index][.cancelled] + queues[index][.expired]
        if kept > queues[index].settings.options.keepMax ?? Limits.keepMax {
            return [.completed, .cancelled, .expired]
        }
        return queues[index][.dead] > queues[index].settings.options.deadMax ?? .max ? [.dead] : nil
    }

    /// Of the tasks in these states the one that ended first.
    private func oldest(
        of states: [TaskState], _ queue: UInt32, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> EndedKey? {
        var oldest: EndedKey?
        for state in states where queues[Int(queue) - 1][state] > 0 {
            let prefix = EndedKey.prefix(queue: queue, state: state)
            guard let first = try transaction.first(Tables.ended, from: prefix, prefix: prefix),
                let key = EndedKey(first.key)
            else { continue }
            if oldest.map({ (key.at, key.sequence) < ($0.at, $0.sequence) }) ?? true { oldest = key }
        }
        return oldest
    }
}

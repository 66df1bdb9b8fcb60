import MartletProtocol
import MartletStorage

extension Engine {
    mutating func add(
        _ request: AddRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, one: true, now, transaction) { return answer }
        if let refusal = try refusal(of: request, now, transaction) { return .refused(refusal) }
        return try addChecked(request, now, transaction)
    }

    /// Adds what `refusal(of:)` has nothing against; only its UNIQUE key may still speak against it.
    mutating func addChecked(
        _ request: AddRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try resolve(request, now, transaction) { return answer }
        let queue = try queueNumber(request.queue, transaction)
        let type = try typeNumber(request.type, transaction)
        var task = newTask(queue: queue, type: type, options: request.options, now)
        task.unique = request.unique
        task.batch = request.batch.flatMap { TaskID($0)?.sequence }
        task.limits = try taskLimits(request.options.limits, transaction)
        let (sequence, state) = try store(task, payload: request.payload, after: request.after, now, transaction)
        guard request.full else { return remember(request.request, .id(sequence)) }
        let shown = try shown(state, sequence, now, transaction)
        return remember(request.request, .added([row(sequence, shown, task)]), one: true)
    }

    /// Why a task is not added, whatever its UNIQUE key says.
    mutating func refusal(
        of request: AddRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        if let refusal = refusal(ofAddingTo: request.queue, now) { return refusal }
        if let refusal = refusal(of: request.payload) ?? refusal(of: request.options, now) { return refusal }
        if let refusal = refusal(of: request.unique, now) { return refusal }
        if let refusal = try refusal(ofJoining: request.batch, transaction) { return refusal }
        return try refusal(of: request.after, now, transaction)
    }

    mutating func addMany(
        _ request: AddManyRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        if let refusal = refusal(ofAddingTo: request.queue, now) ?? refusal(of: request.options, now) {
            return .refused(refusal)
        }
        if let refusal = try refusal(ofJoining: request.batch, transaction) { return .refused(refusal) }
        if let refusal = try refusal(of: request.after, now, transaction) { return .refused(refusal) }
        for item in request.items { if let refusal = refusal(of: item.payload) { return .refused(refusal) } }
        if let refusal = try refusal(ofGrowing: request.queue, by: request.items.count, now, transaction) {
            return .refused(refusal)
        }
        let queue = try queueNumber(request.queue, transaction)
        let limits = try taskLimits(request.options.limits, transaction)
        var rows: [RememberedAnswer.AddedRow] = []
        rows.reserveCapacity(request.items.count)
        for item in request.items {
            let type = try typeNumber(item.type, transaction)
            var task = newTask(queue: queue, type: type, options: request.options, now)
            task.batch = request.batch.flatMap { TaskID($0)?.sequence }
            task.limits = limits
            let (sequence, state) = try store(task, payload: item.payload, after: request.after, now, transaction)
            let shown = request.full ? try shown(state, sequence, now, transaction) : state
            rows.append(row(sequence, shown, task))
        }
        return remember(request.request, request.full ? .added(rows) : .ids(rows.map(\.sequence)))
    }

    /// What to answer when another task holds the UNIQUE key, or the queue is full; `nil`: there is room for the task.
    /// A task that takes another's place needs none.
    private mutating func resolve(
        _ request: AddRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer? {
        guard let unique = request.unique, let queue = queueNumbers[request.queue],
            let holder = try holder(of: unique.key, in: queue, now, transaction)
        else { return try refusal(ofGrowing: request.queue, by: 1, now, transaction).map { .refused($0) } }
        switch request.conflict {
        case .error: return .refused(duplicate(of: holder))
        case .replace:
            guard try replace(holder, now, transaction) else { return .refused(duplicate(of: holder)) }
            return nil
        case .skip:
            guard request.full else { return remember(request.request, .id(holder)) }
            try settleLine(of: holder, now, transaction)
            let (state, runAt) = try whereabouts(of: holder, now, transaction)
            let row = RememberedAnswer.AddedRow(sequence: holder, state: state, created: false, runAt: runAt)
            return remember(request.request, .added([row]), one: true)
        }
    }

    private func refusal(of unique: UniqueKey?, _ now: Timestamp) -> CommandError? {
        guard let span = unique?.span, span > Limits.latestTime - now else { return nil }
        return CommandError(.error, "FOR \(span) ends past the latest time, \(Limits.latestTime) ms")
    }

    private func row(_ sequence: UInt64, _ state: TaskState, _ task: TaskRecord) -> RememberedAnswer.AddedRow {
        .init(sequence: sequence, state: state, created: true, runAt: task.runAt)
    }

    func refusal(of payload: Bytes) -> CommandError? {
        guard payload.count > Limits.payload else { return nil }
        return CommandError(
            .tooBig,
            "payload of \(payload.count) bytes; the limit is \(Limits.payload): keep it elsewhere and send a name")
    }

    private func refusal(of options: TaskOptions, _ now: Timestamp) -> CommandError? {
        if !options.limits.isEmpty, let refusal = refusal(of: options.limits) { return refusal }
        guard case .after(let delay) = options.due, delay > Limits.latestTime - now else { return nil }
        return CommandError(.error, "DELAY \(delay) ends past the latest time, \(Limits.latestTime) ms")
    }

    func newTask(queue: UInt32, type: UInt32, options: TaskOptions, _ now: Timestamp) -> TaskRecord {
        let runAt: Timestamp =
            switch options.due {
            case .now: now
            case .at(let at): max(now, at)
            case .after(let delay): now + delay
            }
        let defaults = queues[Int(queue) - 1].options.task
        let priority = options.priority ?? defaults.priority ?? Limits.defaultPriority
        var task = TaskRecord(queue: queue, type: type, priority: priority, created: now, runAt: runAt)
        if let retries = options.retries ?? defaults.retries { task.retries = retries }
        if let backoff = options.backoff ?? defaults.backoff { task.backoff = backoff }
        if let jitter = options.jitter ?? defaults.jitter { task.jitter = jitter }
        if let lease = options.lease ?? defaults.lease { task.lease = lease }
        if let keep = options.keep ?? defaults.keep { task.keep = keep }
        task.timeout = options.timeout ?? defaults.timeout
        task.timeToLive = options.timeToLive ?? defaults.timeToLive
        task.tags = options.tags
        task.group = options.group
        task.order = options.order
        task.meta = options.meta
        return task
    }

    /// The way of a task into the store: its record, its place in the waiting index, its timers, its queue's counters.
    /// - Returns: its sequence, and the state it is in.
    mutating func store(
        _ task: TaskRecord, payload: Bytes, after: Dependencies?, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> (UInt64, TaskState) {
        let sequence = nextSequence(now)
        var task = task
        task.payloadSize = payload.count
        task.hasBody = payload.count > TaskRecord.inlinePayload
        let record = task
        try transaction.append(Tables.tasks, taskKey(sequence)) {
            record.write(to: &$0, sequence: sequence, payload: payload)
        }
        if record.hasBody { try storeBody(payload, .payload, of: sequence, transaction) }
        _ = try takeUniqueKey(of: sequence, record, in: record.queue, now, transaction)
        try setTimer(record.expiresAt, .timeToLive, sequence, record.queue, transaction)
        if let batch = record.batch { try join(batch, sequence, transaction) }
        let isBehind = try joinOrder(sequence, record, at: now, transaction)
        if let after, let state = try park(sequence, record, after, now, transaction) { return (sequence, state) }
        if isBehind {
            _ = try enterParked(sequence, record, nil, transaction)
            return (sequence, .blocked)
        }
        let isLater = record.runAt > now
        change(record.queue) {
            $0.totalAdded += 1
            $0.count(isLater ? .scheduled : .pending, 1)
        }
        tell(record.queue, sequence, type: record.type, from: nil, to: isLater ? .scheduled : .pending)
        let range = WaitingRange(priority: record.priority, lane: .fresh)
        let key = WaitingKey(
            queue: record.queue, range: range, limits: record.limits?.set ?? 0, due: record.runAt, sequence: sequence)
        try enterWaiting(key, hasState: false, isLater: isLater, transaction)
        return (sequence, isLater ? .scheduled : .pending)
    }

    /// A new identity, of a task or a batch: they rise together.
    mutating func nextSequence(_ now: Timestamp) -> UInt64 {
        broker.lastSequence = max(UInt64(now) << 16, broker.lastSequence + 1)
        return broker.lastSequence
    }

    /// Puts a task into the waiting index; if it is due later, a timer will move the counters then.
    mutating func enterWaiting(
        _ key: WaitingKey, hasState: Bool, isLater: Bool, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var flags = (hasState ? WaitingKey.Flag.state : 0) | (isLater ? WaitingKey.Flag.timer : 0)
        if queues[Int(key.queue) - 1].lining.takes {
            flags |= WaitingKey.Flag.line
            let group = groupHash(try task(key.sequence, transaction))
            try enterLine(key, group: group, isDue: !isLater, transaction)
        }
        try transaction.put(Tables.waiting, key.bytes, flags: flags)
        change(key.queue) {
            $0.countWaiting(key.range, 1)
            if key.limits > 0, !isLater { $0.dueCounts.count(key.limits, due: 1) }
        }
        if key.limits == 0 { dueBounds.lower(key.queue, key.range, to: key.due) }
        if key.limits > 0 { limitLines.insert(key.limits, key.queue, key.range) }
        if isLater {
            try setTimer(key.due, .due, key.sequence, key.queue, transaction)
        } else {
            touched.insert(key.queue)
        }
    }

    mutating func setTimer(
        _ at: Timestamp?, _ kind: TimerKey.Kind, _ sequence: UInt64, _ queue: UInt32,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let at else { return }
        let key = TimerKey(at: at, kind: kind, sequence: sequence, queue: queue)
        try transaction.put(Tables.timers, key.bytes, flags: 0)
        timerBound = min(timerBound, at)
    }
}

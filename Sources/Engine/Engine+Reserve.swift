import MartletProtocol
import MartletStorage

extension Engine {
    /// Leases that ended are brought back before a hand-out, at most so many at once.
    static let settleLimit = 4_096

    mutating func reserve(
        _ request: ReserveRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let nonce = request.request {
            if let taken = takeOver(nonce, by: request) { return taken }
            switch try remembered(nonce, now, transaction) {
            case .refused(let refusal): return .refused(refusal)
            case .answer(.reserved(let leases)):
                let held = try stillHeld(leases, now, transaction)
                if !held.isEmpty { return .handedOut(held) }
            case .answer, .unknown: break
            }
        }
        return try reserveOrWait(request, followsAcknowledge: false, now, transaction)
    }

    /// Hands out what there is; otherwise waits, or answers with nothing.
    mutating func reserveOrWait(
        _ request: ReserveRequest, followsAcknowledge: Bool, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        try endLeases(by: now, limit: Self.settleLimit, transaction)
        if cronsAreDue(by: now) { try runCrons(by: now, limit: Self.cronsAtOnce, transaction) }
        let handedOut = try handOut(request, now, transaction)
        if !handedOut.isEmpty {
            remember(handedOut, request.request, followsAcknowledge)
            return .handedOut(handedOut)
        }
        guard case .upTo(let span) = request.block else {
            if followsAcknowledge { remember([], request.request, true) }
            return .handedOut([])
        }
        if followsAcknowledge { remember([], request.request, true) }
        let until = span == 0 || span > Limits.latestTime - now ? nil : now + span
        room.enter(request, until: until, followsAcknowledge: followsAcknowledge)
        undoLog.changes.append(.waiterEntered(request.caller))
        waitAtGates()
        return .blocked
    }

    func leaseNames(_ handedOut: [HandOut]) -> [RememberedAnswer.LeaseName] {
        handedOut.map { .init(sequence: $0.id.sequence, token: $0.token) }
    }

    mutating func remember(_ handedOut: [HandOut], _ request: RequestNonce?, _ followsAcknowledge: Bool) {
        guard let request else { return }
        let leases = leaseNames(handedOut)
        nonces.remember(.init(request, followsAcknowledge ? .acknowledged(leases) : .reserved(leases)))
    }

    /// Takes tasks until there are enough, or enough payload, or no more.
    mutating func handOut(
        _ request: ReserveRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> [HandOut] {
        let line = QueueLine(request, queueNumbers)
        if !heldBack.isEmpty { heldBack.removeAll(keepingCapacity: true) }
        var taken: [HandOut] = []
        var bytes = 0
        while taken.count < request.count, bytes < Limits.reservePayload,
            let candidate = try candidate(line, now, transaction)
        {
            guard let task = try handOut(candidate, to: request, now, transaction) else { continue }
            bytes += task.payload.count
            taken.append(task)
        }
        return taken
    }

    /// Leases one task; `nil` if it turned out to be expired or damaged: then it is out of the way.
    private mutating func handOut(
        _ candidate: Candidate, to request: ReserveRequest, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> HandOut? {
        let sequence = candidate.key.sequence
        guard let (task, payload) = try readable(candidate, now, transaction) else { return nil }
        if let expiresAt = try expiry(of: candidate, task, by: now, transaction) {
            try expireWaiting(candidate.key, candidate.flags, at: expiresAt, now, transaction)
            return nil
        }
        let index = Int(candidate.key.queue) - 1
        let takesTurns = queues[index].lining == .full && queues[index].rounds == .turns
        var state = try leaveWaiting(
            candidate.key, candidate.flags, task,
            served: takesTurns ? .served(at: now, token: broker.lastToken + 1) : nil, transaction)
        if let contested = candidate.contested {
            change(candidate.key.queue) { $0.contested[contested - 1] += 1 }
        }
        if queues[index].settings.isGated { passGates(of: candidate.key.queue, task, now) }
        if let limits = task.limits { takeTokens(limits, now) }
        if task.unique != nil { try freeUniqueKey(of: sequence, task, at: .handedOut, transaction) }
        start(&state, task, request, now)
        let started = state
        try transaction.put(Tables.states, Phase.active.key(sequence)) { started.write(to: &$0) }
        count(started.queue, state.state, .handOut, of: sequence, type: task.type)
        countWorker(started.worker, .started)
        undoLog.samples.append(.init(queue: started.queue, kind: .wait, span: now - started.runAt))
        addLease(
            sequence,
            Lease(
                token: started.token, deadline: started.deadline, queue: started.queue, worker: started.worker,
                order: orderPlace(task)?.hash, group: boundedGroup(task)))
        if let group = leases[sequence]?.group { try takeSlot(of: group, in: started.queue, transaction) }
        return HandOut(
            id: broker.id(sequence), queue: queueName(task.queue), type: types.name(task.type), payload: payload,
            priority: started.priority, attempt: started.attempt, retries: started.retries, token: started.token,
            lease: started.lease, deadline: started.deadline, enqueuedAt: task.created, runAt: started.runAt,
            meta: task.meta, tags: task.tags, lastError: started.lastError)
    }

    private mutating func start(
        _ state: inout StateRecord, _ task: TaskRecord, _ request: ReserveRequest, _ now: Timestamp
    ) {
        broker.lastToken += 1
        state.token = broker.lastToken
        state.attempt += 1
        state.lease = request.lease ?? task.lease
        state.startedAt = now
        state.deadline = deadline(now, state.lease, started: now, timeout: task.timeout)
        state.worker = request.worker
        state.progress = nil
        state.note = nil
        state.cancel = false
    }

    /// min(lease end, start + time-out)
    func deadline(
        _ now: Timestamp, _ lease: Milliseconds, started: Timestamp, timeout: Milliseconds?
    ) -> Timestamp {
        min(now + lease, timeout.map { started + $0 } ?? .max)
    }

    /// A task that waits is not to be handed out from where it is: it ends, or waits elsewhere.
    mutating func withdraw(
        _ key: WaitingKey, _ flags: UInt8, _ task: TaskRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> StateRecord {
        // It may have held back those behind it that need the same limits and less of them.
        if key.limits != 0 { touched.insert(key.queue) }
        return try leaveWaiting(key, flags, task, served: nil, transaction)
    }

    /// Takes a task out of the waiting index, with its due timer and its state record if it has them.
    /// `state` in the result says what it was: SCHEDULED while its due timer stood, PENDING otherwise.
    mutating func leaveWaiting(
        _ key: WaitingKey, _ flags: UInt8, _ task: TaskRecord, served: Stamp?,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> StateRecord {
        try transaction.delete(Tables.waiting, key.bytes)
        var state = StateRecord(of: task)
        if flags & WaitingKey.Flag.state != 0 {
            let stateKey = Phase.waiting.key(key.sequence)
            state = try transaction.take(Tables.states, stateKey) { StateRecord(from: &$0) } ?? state
        }
        state.state = .pending
        if key.range.lane == .parked {
            state.state = .blocked
            try forgetDependencies(of: key.sequence, transaction)
        }
        if flags & WaitingKey.Flag.timer != 0 {
            if try transaction.delete(Tables.timers, key.dueTimer.bytes) { state.state = .scheduled }
        }
        let isDue = state.state == .pending
        if flags & WaitingKey.Flag.line != 0 {
            try leaveLine(key, group: groupHash(task), isDue: isDue, served: served, transaction)
        }
        change(key.queue) {
            $0.countWaiting(key.range, -1)
            if key.limits > 0, isDue { $0.dueCounts.count(key.limits, due: -1) }
        }
        return state
    }

    /// The leases of a remembered hand-out that are still held, as they were given.
    mutating func stillHeld(
        _ names: [RememberedAnswer.LeaseName], _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> [HandOut] {
        var held: [HandOut] = []
        for name in names {
            guard let lease = leases[name.sequence], lease.token == name.token, lease.deadline > now,
                let state = try state(name.sequence, .active, transaction),
                let (task, payload) = try taskWithPayload(name.sequence, transaction)
            else { continue }
            held.append(
                HandOut(
                    id: broker.id(name.sequence), queue: queueName(task.queue), type: types.name(task.type),
                    payload: payload, priority: state.priority, attempt: state.attempt, retries: state.retries,
                    token: state.token, lease: state.lease, deadline: state.deadline, enqueuedAt: task.created,
                    runAt: state.runAt, meta: task.meta, tags: task.tags, lastError: state.lastError))
        }
        return held
    }
}

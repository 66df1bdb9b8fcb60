public import MartletProtocol
public import MartletStorage

extension Engine {
    /// Whether a token still holds its task.
    enum Hold {
        case held(UInt64)
        /// It does not: the task's sequence, if the id is one, and the refusal.
        case lost(UInt64?, CommandError)
    }

    /// Checks id and token after what is due for the task has happened.
    mutating func hold(
        _ id: TaskID?, _ token: Int64, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Hold {
        guard let sequence = sequence(id) else { return .lost(nil, unknownTask(id)) }
        if !breakers.isEmpty { try endLeases(by: now, limit: Self.settleLimit, transaction) }
        try settle(sequence, now, transaction)
        if let lease = leases[sequence] {
            if lease.token == token { return .held(sequence) }
            return .lost(sequence, Self.leaseLost(id, token, "a later hand-out holds it"))
        }
        guard try isKnown(sequence, transaction) else {
            return .lost(nil, try missing(sequence, id, transaction))
        }
        return .lost(sequence, Self.leaseLost(id, token, "it is not leased"))
    }

    private static func leaseLost(_ id: TaskID?, _ token: Int64, _ why: String) -> CommandError {
        let name = id.map(\.description) ?? ""
        return CommandError(
            .leaseLost, "token \(token) does not hold task \(name): \(why); drop this attempt's outcome")
    }

    mutating func acknowledge(
        _ request: AcknowledgeRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let nonce = request.request {
            if var next = request.next {
                next.request = nonce
                if let taken = takeOver(nonce, by: next) { return taken }
            }
            switch try remembered(nonce, now, transaction) {
            case .refused(let refusal): return .refused(refusal)
            case .answer(let answer): return try nextAgain(request, answer, now, transaction)
            case .unknown: break
            }
        }
        if let refusal = refusal(ofResult: request.result) { return .refused(refusal) }
        if !request.children.isEmpty, let refusal = try addChildren(of: request, now, transaction) {
            return .refused(refusal)
        }
        if let refusal = try complete(request.id, request.token, request.result, now, transaction) {
            return .refused(refusal)
        }
        guard request.next != nil else { return remember(request.request, .acknowledged([])) }
        return try next(request, now, transaction)
    }

    private mutating func next(
        _ request: AcknowledgeRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        guard var next = request.next else { return .ok }
        next.request = request.request
        return try reserveOrWait(next, followsAcknowledge: true, now, transaction)
    }

    /// A repeated acknowledgement: its NEXT's leases that are still held, else it only reserves.
    private mutating func nextAgain(
        _ request: AcknowledgeRequest, _ answer: RememberedAnswer, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        guard request.next != nil, case .acknowledged(let leases) = answer else { return render(answer) }
        let held = try stillHeld(leases, now, transaction)
        return held.isEmpty ? try next(request, now, transaction) : .handedOut(held)
    }

    private func refusal(ofResult result: Bytes?) -> CommandError? {
        guard let result, result.count > Limits.payload else { return nil }
        return CommandError(
            .tooBig,
            "result of \(result.count) bytes; the limit is \(Limits.payload): keep it elsewhere and send a name")
    }

    mutating func acknowledgeMany(
        _ request: AcknowledgeManyRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        var outcomes: [CommandError?] = []
        for (id, token) in request.tasks { outcomes.append(try complete(id, token, nil, now, transaction)) }
        return remember(request.request, .many(outcomes))
    }

    /// Acknowledges one task; a refusal if its token does not hold it. Repeated with the same token it is done already.
    private mutating func complete(
        _ id: TaskID?, _ token: Int64, _ result: Bytes?, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        let sequence: UInt64
        switch try hold(id, token, now, transaction) {
        case .held(let held): sequence = held
        case .lost(let known, let refusal):
            return try wasAcknowledged(known, by: token, transaction) ? nil : refusal
        }
        guard var state = try takeActive(sequence, transaction) else { return unknownTask(id) }
        state.state = count(state.queue, .active, .acknowledge, of: sequence, type: state.type)
        change(state.queue) { $0.totalCompleted += 1 }
        feedBreaker(of: state.queue, now, failed: false)
        undoLog.samples.append(.init(queue: state.queue, kind: .run, span: now - state.startedAt))
        countWorker(state.worker, .completed)
        if let result {
            state.resultSize = result.count
            // Without a record to be kept it is for those who wait for the task, if anybody does.
            if result.count <= StateRecord.inlineResult || state.keep == 0 {
                state.result = result
            } else {
                try storeBody(result, .result, of: sequence, transaction)
            }
        }
        try end(sequence, state, at: now, transaction)
        return nil
    }

    /// Whether this token completed the task, be it that it was retried since.
    private func wasAcknowledged(
        _ sequence: UInt64?, by token: Int64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        guard let sequence else { return false }
        if let ended = try state(sequence, .ended, transaction), ended.state == .completed, ended.token == token {
            return true
        }
        return try row(.acknowledge, of: sequence, by: token, transaction) != nil
    }

    mutating func release(
        _ request: ReleaseRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard request.delay <= Limits.latestTime - now else {
            return .refused(CommandError(.error, "DELAY \(request.delay) ends past the latest time"))
        }
        switch try hold(request.id, request.token, now, transaction) {
        case .lost(_, let refusal): return .refused(refusal)
        case .held(let sequence):
            try release(sequence, request.delay, request.priority, now, transaction)
            return remember(request.request, .ok)
        }
    }

    private mutating func release(
        _ sequence: UInt64, _ delay: Milliseconds, _ priority: Int?, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard var state = try takeActive(sequence, transaction) else { return }
        if state.cancel { return try endAttempt(sequence, &state, .release, .cancel, now, transaction) }
        if let expiresAt = state.expiresAt, expiresAt <= now {
            try endAttempt(sequence, &state, .release, .expire, now, transaction)
            return
        }
        if delay > 0 { state.runAt = now + delay }
        let event: TaskEvent = delay > 0 ? .releaseLater : .release
        let to = count(state.queue, .active, event, of: sequence, type: state.type)
        try note(HistoryRow(.release, of: state, from: .active, to: to, at: now), sequence, &state, transaction)
        state.attempt -= 1
        state.state = to
        if let priority { state.priority = priority }
        try waitAgain(sequence, state, isLater: delay > 0, at: now, transaction)
    }

    /// An attempt ends the task: the move is noted, then it ends.
    mutating func endAttempt(
        _ sequence: UInt64, _ state: inout StateRecord, _ reason: MoveReason, _ event: TaskEvent, _ now: Timestamp,
        texts: (kind: Bytes?, message: Bytes?, trace: Bytes?) = (nil, nil, nil),
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        state.state = count(state.queue, .active, event, of: sequence, type: state.type)
        var row = HistoryRow(reason, of: state, from: .active, to: state.state, at: now)
        (row.kind, row.message, row.trace) = texts
        try note(row, sequence, &state, transaction)
        try end(sequence, state, at: now, transaction)
    }

    /// Undoes a hand-out whose reply could not be written: attempt and due time are as before. Does nothing when the
    /// lease is gone.
    public mutating func undo(
        handOut id: TaskID, token: Int64, now: Timestamp, in transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let sequence = sequence(id) else { return }
        try settle(sequence, now, transaction)
        guard leases[sequence]?.token == token, var state = try takeActive(sequence, transaction) else { return }
        if state.cancel { return try endAttempt(sequence, &state, .release, .cancel, now, transaction) }
        count(state.queue, .active, .release, of: sequence, type: state.type)
        countWorker(state.worker, .started, -1)
        state.attempt -= 1
        state.state = .pending
        try waitAgain(sequence, state, isLater: false, at: now, transaction)
        if state.hasUnique { try takeUniqueKeyBack(of: sequence, now, transaction) }
        // Its time to live may have ended while it was out: then the timer fired in vain.
        guard let expiresAt = state.expiresAt, expiresAt <= now else { return }
        try setTimer(expiresAt, .timeToLive, sequence, state.queue, transaction)
        try settle(sequence, now, transaction)
    }
}

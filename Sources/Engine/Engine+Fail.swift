import MartletProtocol
import MartletStorage

extension Engine {
    /// How an attempt failed.
    struct Failure {
        var reason: MoveReason
        var message: Bytes
        var kind: Bytes?
        var trace: Bytes?
        var next: FailRequest.Next
    }

    mutating func fail(
        _ request: FailRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        if case .retry(let delay) = request.next, delay > Limits.latestTime - now {
            return .refused(CommandError(.error, "RETRY \(delay) ends past the latest time"))
        }
        switch try hold(request.id, request.token, now, transaction) {
        case .lost(let sequence, let refusal):
            let first = try failed(sequence, by: request.token, transaction)
            return first.map { remember(request.request, .failed($0)) } ?? .refused(refusal)
        case .held(let sequence):
            let failure = Failure(
                reason: .fail, message: Self.cut(request.message, Limits.failureMessage), kind: request.kind,
                trace: request.trace.map { Self.cut($0, Limits.failureTrace) }, next: request.next)
            guard let outcome = try failAttempt(sequence, failure, at: now, now, transaction) else {
                return .refused(unknownTask(request.id))
            }
            return remember(request.request, .failed(outcome))
        }
    }

    /// What FAIL answered to the token that ended an attempt of this task.
    private func failed(
        _ sequence: UInt64?, by token: Int64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> FailedAttempt? {
        guard let sequence, let row = try row(.fail, of: sequence, by: token, transaction) else { return nil }
        return FailedAttempt(
            state: row.to, attempt: row.attempt, retriesLeft: row.retriesLeft, runAt: row.to.isEnded ? nil : row.runAt)
    }

    /// The row of the move that a token made.
    func row(
        _ reason: MoveReason, of sequence: UInt64, by token: Int64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> HistoryRow? {
        var found: HistoryRow?
        try transaction.scanRecords(Tables.history, from: taskKey(sequence), prefix: taskKey(sequence)) { _, record in
            let row = HistoryRow(from: &record)
            guard row.token == token, row.reason == reason else { return true }
            found = row
            return false
        }
        return found
    }

    /// Ends an attempt that failed at `at`: the task is retried, dead, or expired. `nil` if it is not active.
    mutating func failAttempt(
        _ sequence: UInt64, _ failure: Failure, at: Timestamp, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> FailedAttempt? {
        guard var state = try takeActive(sequence, transaction) else { return nil }
        state.lastError = failure.message
        state.errorKind = failure.kind
        change(state.queue) { $0.totalFailed += 1 }
        feedBreaker(of: state.queue, at, failed: true, kind: failure.kind)
        undoLog.samples.append(.init(queue: state.queue, kind: .run, span: at - state.startedAt))
        countWorker(state.worker, .failed)
        let texts = (kind: failure.kind, message: Bytes?.some(failure.message), trace: failure.trace)
        if state.cancel {
            try endAttempt(sequence, &state, failure.reason, .cancel, at, texts: texts, transaction)
        } else if let expiresAt = state.expiresAt, expiresAt <= at {
            try endAttempt(sequence, &state, failure.reason, .expire, at, texts: texts, transaction)
        } else if failure.next == .dead || state.attempt > state.retries {
            try endAttempt(sequence, &state, failure.reason, .exhaust, at, texts: texts, transaction)
        } else {
            return try retry(sequence, &state, failure, texts, at, now, transaction)
        }
        return FailedAttempt(state: state.state, attempt: state.attempt, retriesLeft: 0, runAt: nil)
    }

    private mutating func retry(
        _ sequence: UInt64, _ state: inout StateRecord, _ failure: Failure,
        _ texts: (kind: Bytes?, message: Bytes?, trace: Bytes?), _ at: Timestamp, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> FailedAttempt {
        let delay = try delay(of: failure, sequence, attempt: state.attempt, transaction)
        // An expired lease keeps the due time: nobody is to blame, and its place in the line is its own.
        if let delay { state.runAt = min(at + delay, Limits.latestTime) }
        let isLater = (delay ?? 0) > 0
        let event: TaskEvent = isLater ? .retryLater : .retryNow
        state.state = count(state.queue, .active, event, of: sequence, type: state.type)
        var row = HistoryRow(failure.reason, of: state, from: .active, to: state.state, at: at)
        (row.kind, row.message, row.trace) = texts
        try note(row, sequence, &state, transaction)
        try waitAgain(sequence, state, isLater: isLater, at: at, transaction)
        return FailedAttempt(
            state: state.state, attempt: state.attempt, retriesLeft: state.retries - state.attempt, runAt: state.runAt)
    }

    /// How long the next attempt waits; `nil`: it keeps its due time.
    private mutating func delay(
        of failure: Failure, _ sequence: UInt64, attempt: Int64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Milliseconds? {
        switch failure.next {
        case .retry(let delay): return delay
        case .dead: return nil
        case .backoff:
            guard failure.reason != .leaseExpired else { return nil }
            guard let task = try task(sequence, transaction) else { return 0 }
            let delay = min(task.backoff.delay(beforeRetry: attempt), Limits.latestTime)
            let most = delay / 100 * Int64(task.jitter) + delay % 100 * Int64(task.jitter) / 100
            return delay + (most > 0 ? Int64.random(in: 0...most, using: &random) : 0)
        }
    }

    /// At most `limit` bytes, not in the middle of a character.
    static func cut(_ text: Bytes, _ limit: Int) -> Bytes {
        guard text.count > limit else { return text }
        var end = limit
        while end > limit - 4, end > 0, text[end] & 0xC0 == 0x80 { end -= 1 }
        return Bytes(text[..<end])
    }
}

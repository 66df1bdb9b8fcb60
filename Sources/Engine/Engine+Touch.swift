import MartletProtocol
import MartletStorage

extension Engine {
    mutating func touch(
        _ request: TouchRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        if let note = request.note, note.count > Limits.note {
            return .refused(CommandError(.tooBig, "note of \(note.count) bytes; the limit is \(Limits.note)"))
        }
        switch try hold(request.id, request.token, now, transaction) {
        case .lost(_, let refusal): return .refused(refusal)
        case .held(let sequence):
            guard let touched = try extend(sequence, request, now, transaction) else {
                return .refused(unknownTask(request.id))
            }
            return remember(request.request, .touched(deadline: touched.deadline, cancel: touched.cancel))
        }
    }

    /// The lease ends so long from now, but never after the attempt's time-out. Whoever does not say how long it is to
    /// be does not mean to shorten it.
    mutating func extend(
        _ sequence: UInt64, _ request: TouchRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> StateRecord? {
        guard var state = try state(sequence, .active, transaction), let lease = leases[sequence],
            let task = try task(sequence, transaction)
        else { return nil }
        let span = request.lease ?? state.lease
        let end = deadline(now, span, started: state.startedAt, timeout: task.timeout)
        state.deadline = request.lease == nil ? max(state.deadline, end) : end
        if let progress = request.progress { state.progress = progress }
        if let note = request.note { state.note = note }
        let touched = state
        try transaction.put(Tables.states, Phase.active.key(sequence)) { touched.write(to: &$0) }
        var extended = lease
        extended.deadline = touched.deadline
        replaceLease(sequence, extended)
        return touched
    }

    /// A lease ends at another time, or its holder is to be told something.
    mutating func replaceLease(_ sequence: UInt64, _ lease: Lease) {
        removeLease(sequence)
        addLease(sequence, lease)
    }

    /// An active task is to end as CANCELLED unless it is acknowledged: whoever holds it is told at the next TOUCH or
    /// BEAT.
    mutating func askToCancel(
        _ sequence: UInt64, _ state: StateRecord, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard var lease = leases[sequence] else { return }
        lease.cancel = true
        var asked = state
        asked.cancel = true
        let record = asked
        try transaction.put(Tables.states, Phase.active.key(sequence)) { record.write(to: &$0) }
        replaceLease(sequence, lease)
    }
}

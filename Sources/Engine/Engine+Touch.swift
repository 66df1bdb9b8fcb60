import MartletProtocol
import MartletStorage

extension Engine {
    mutating func touch(
        _ request: TouchRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        switch try remembered(request.request, now, transaction) {
        case .refused(let refusal): return .refused(refusal)
        case .answer(let answer): return render(answer)
        case .unknown: break
        }
        if let note = request.note, note.count > Limits.note {
            return .refused(CommandError(.tooBig, "note of \(note.count) bytes; the limit is \(Limits.note)"))
        }
        switch try hold(request.id, request.token, now, transaction) {
        case .lost(_, let refusal): return .refused(refusal)
        case .held(let sequence):
            guard let deadline = try extend(sequence, request, now, transaction) else {
                return .refused(unknownTask(request.id))
            }
            return remember(request.request, .touched(deadline: deadline, cancel: false))
        }
    }

    /// The lease ends so long from now, but never after the attempt's time-out.
    private mutating func extend(
        _ sequence: UInt64, _ request: TouchRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Timestamp? {
        guard var state = try state(sequence, .active, transaction), let lease = leases[sequence],
            let task = try task(sequence, transaction)
        else { return nil }
        let span = request.lease ?? state.lease
        state.deadline = deadline(now, span, started: state.startedAt, timeout: task.timeout)
        if let progress = request.progress { state.progress = progress }
        if let note = request.note { state.note = note }
        let touched = state
        try transaction.put(Tables.states, Phase.active.key(sequence)) { touched.write(to: &$0) }
        removeLease(sequence)
        addLease(
            sequence,
            Lease(
                token: lease.token, deadline: touched.deadline, queue: lease.queue, worker: lease.worker))
        return touched.deadline
    }
}

import MartletProtocol
import MartletStorage

/// QUEUE.DRAIN: a queue takes no more tasks and finishes those it has.
extension Engine {
    mutating func drain(
        _ request: QueueDrainRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        guard let number = queueNumbers[request.queue] else { return .refused(Self.unknownQueue(request.queue)) }
        change(number) { $0.isDraining = true }
        if isBehind(at: now) { try catchUp(to: now, transaction) }
        guard case .upTo(let span) = request.block, outcome(ofDraining: request.queue) == nil else {
            return remember(request.request, .ok)
        }
        let until = span == 0 || span > Limits.latestTime - now ? nil : now + span
        drains.insert(Drain(request: request, until: until))
        undoLog.changes.append(.drainEntered(request.caller))
        return .blocked
    }

    /// Whether a queue is empty of unended tasks; `false`: nobody drains it any more; `nil`: it is not empty yet.
    private func outcome(ofDraining queue: Bytes) -> Bool? {
        guard let number = queueNumbers[queue] else { return true }
        let isEmpty = queues[Int(number) - 1].unended == 0
        return isEmpty ? true : queues[Int(number) - 1].isDraining ? nil : false
    }

    /// Answers those whose queue is empty, or is not drained any more.
    mutating func serveDrains(_ deliver: (CallerID, Answer) -> Void) {
        for caller in drains.callers {
            guard let drain = drains[caller], let isEmpty = outcome(ofDraining: drain.request.queue) else { continue }
            drains.remove(caller)
            undoLog.changes.append(.drainLeft(drain))
            deliver(caller, isEmpty ? remember(drain.request.request, .ok) : .bytes(nil))
        }
    }
}

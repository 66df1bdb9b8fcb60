import MartletProtocol
import MartletStorage

/// TASK.ACK … ADD: what follows from a task is added when it is acknowledged, or not at all.
extension Engine {
    /// Adds the children of a task that is about to be acknowledged; all are looked at before the first is added.
    /// A token that does not hold the task adds nothing: the acknowledgement itself says why.
    mutating func addChildren(
        of request: AcknowledgeRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        guard case .held = try hold(request.id, request.token, now, transaction) else { return nil }
        // Whether all children so far that have the key only want one of them to be there.
        var keys: [[Bytes]: Bool] = [:]
        for child in request.children {
            if let refusal = try refusal(of: child, now, transaction) { return refusal }
            if let refusal = try refusal(ofKeyOf: child, now, transaction) { return refusal }
            guard let unique = child.unique else { continue }
            let others = keys.updateValue(child.conflict == .skip, forKey: [child.queue, unique.key])
            guard others == nil || others == true && child.conflict == .skip else {
                return CommandError(.error, "two children of one ACK have the same UNIQUE key; use ON SKIP for both")
            }
        }
        if let refusal = try refusal(ofGrowingBy: request.children, now, transaction) { return refusal }
        for child in request.children {
            guard case .refused(let refusal) = try addChecked(child, now, transaction) else { continue }
            // Cannot be, as it was looked at; the group is given up rather than half of the children kept.
            throw StorageError(.damaged, "a child of an ACK was refused late: \(refusal)")
        }
        return nil
    }

    /// Whether all queues have room for what is new. Children whose key is held take no room.
    private mutating func refusal(
        ofGrowingBy children: [AddRequest], _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        var more: [Bytes: Int] = [:]
        for child in children {
            if let unique = child.unique, let queue = queueNumbers[child.queue],
                try holder(of: unique.key, in: queue, now, transaction) != nil
            {
                continue
            }
            more[child.queue, default: 0] += 1
        }
        for (queue, count) in more {
            if let refusal = try refusal(ofGrowing: queue, by: count, now, transaction) { return refusal }
        }
        return nil
    }

    private mutating func refusal(
        ofKeyOf child: AddRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        guard child.conflict != .skip, let unique = child.unique, let queue = queueNumbers[child.queue],
            let holder = try holder(of: unique.key, in: queue, now, transaction)
        else { return nil }
        if child.conflict == .replace, case .waiting = try find(broker.id(holder), now, transaction) { return nil }
        return duplicate(of: holder)
    }
}

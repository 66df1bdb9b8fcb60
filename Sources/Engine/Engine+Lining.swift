public import MartletProtocol
import MartletStorage

/// FAIR or GROUPCONCURRENCY is switched on or off: the waiting tasks are put into lines, or out of them, in slices;
/// until all stand in one, hand-outs go by the plain order.
extension Engine {
    /// The queues whose groups take turns now.
    public var fairQueues: Set<Bytes> {
        Set(queues.filter { $0.takesTurns && !$0.name.isEmpty }.map(\.name))
    }

    /// What a queue's options say of its groups may have changed. A slice is done at once; a change
    /// that is under way is finished first.
    mutating func line(
        _ queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard turnLining(queue) else { return }
        try lineUp(queue, now, transaction)
    }

    /// The next slice of a change that is under way.
    mutating func lineMore(
        _ queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try lineUp(queue, now, transaction)
    }

    /// Begins a change if one is due; whether it did.
    private mutating func turnLining(_ queue: UInt32) -> Bool {
        let state = queues[Int(queue) - 1]
        let isFair = state.options.fair == true
        let isWanted = isFair || state.settings.boundsGroups
        guard !state.lining.isUnderWay, isWanted || state.lining == .full else { return false }
        let rounds: RoundOrder = isFair ? .turns : .plain
        // In other rounds the groups stand in other places: they leave these first.
        if state.lining == .full, isWanted, rounds == state.rounds { return false }
        change(queue) {
            $0.linedTo = KeyBytes()
            if $0.lining == .full {
                $0.lining = .clearing
            } else {
                ($0.lining, $0.rounds) = (.filling, rounds)
            }
        }
        return true
    }

    /// Puts the next waiting tasks into lines, or takes them out; a timer sees to the rest.
    private mutating func lineUp(
        _ queue: UInt32, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let state = queues[Int(queue) - 1]
        guard state.lining.isUnderWay else { return }
        let limit = waveLeft
        let isFilling = state.lining == .filling
        let place = state.linedTo
        let prefix = queueKey(queue)
        var entries: [(key: KeyBytes, flags: UInt8)] = []
        try transaction.scan(Tables.waiting, from: place.count > 0 ? place : prefix, prefix: prefix) { key, flags in
            if key != place { entries.append((key, flags)) }
            return entries.count <= limit
        }
        inWave += min(limit, entries.count)
        for entry in entries.prefix(limit) {
            let key = WaitingKey(entry.key)
            let isLined = entry.flags & WaitingKey.Flag.line != 0
            if key.range.lane != .parked, isLined != isFilling {
                try line(key, entry.flags, isFilling, now, transaction)
            }
        }
        guard entries.count > limit else {
            change(queue) { $0.lining = isFilling ? .full : .none }
            touched.insert(queue)
            // Meanwhile somebody may have said otherwise.
            if turnLining(queue) { try setTimer(now, .lines, 0, queue, transaction) }
            return
        }
        if limit > 0 { change(queue) { $0.linedTo = entries[limit - 1].key } }
        try setTimer(now, .lines, 0, queue, transaction)
    }

    private mutating func line(
        _ key: WaitingKey, _ flags: UInt8, _ isFilling: Bool, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let (task, _) = try readable(Candidate(key, flags), now, transaction) else { return }
        try transaction.put(Tables.waiting, key.bytes, flags: flags ^ WaitingKey.Flag.line)
        let isDue = try !hasDueTimer(key, flags, transaction)
        if isFilling {
            try enterLine(key, group: groupHash(task), isDue: isDue, transaction)
        } else {
            try leaveLine(key, group: groupHash(task), isDue: isDue, served: nil, transaction)
        }
    }

    /// Whether a waiting task still counts as SCHEDULED.
    private func hasDueTimer<A>(
        _ key: WaitingKey, _ flags: UInt8, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Bool {
        guard flags & WaitingKey.Flag.timer != 0 else { return false }
        return try transaction.contains(Tables.timers, key.dueTimer.bytes)
    }
}

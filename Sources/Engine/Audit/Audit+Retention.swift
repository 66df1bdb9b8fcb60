import MartletProtocol
import MartletStorage

/// The records of ended tasks go when their time has come.
extension Audit {
    /// It has a retention timer of its own, or stands in the line of its queue and state.
    mutating func check<A>(
        retentionOf ended: StateRecord, _ sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        guard let until = ended.keepUntil, let at = ended.endedAt else { return }
        let timer = TimerKey(at: until, kind: .retention, sequence: sequence, queue: ended.queue)
        if ended.hasRetentionTimer { return try expect(timer, transaction) }
        let place = EndedPlace(at: at, sequence: sequence)
        let keep = queues[ended.queue]?.kept[ended.state]?.keep ?? recount[ended.queue]?.kept[ended.state]?.keep
        guard keep == nil || keep == ended.keep else {
            var apart = ended
            apart.hasRetentionTimer = true
            return report(
                .timerMissing, "retention of task \(name(sequence))", .state(.ended, sequence, apart),
                .entry(Tables.timers, timer.bytes, flags: 0))
        }
        tally(ended.queue) {
            if let first = $0.kept[ended.state], first.place <= place { return }
            $0.kept[ended.state] = KeptLine(keep: ended.keep, place: place)
        }
    }

    /// The timer of a line is the one its queue knows of.
    func isNeeded(keptLine timer: TimerKey, _ kept: KeptLines) -> Bool {
        guard let state = TaskState(rawValue: UInt8(clamping: timer.sequence)), let line = kept[state] else {
            return false
        }
        return line.timer(timer.queue, state).bytes == timer.bytes
    }

    /// Every line has a timer, which fires before any of its tasks was kept too long.
    mutating func checkKeptLines<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        for (number, queue) in queues.sorted(by: { $0.key < $1.key }) {
            for (state, counted) in recount[number]?.kept.open ?? [] {
                let line = queue.kept[state]
                if let line, line.place <= counted.place,
                    try transaction.contains(Tables.timers, line.timer(number, state).bytes)
                {
                    continue
                }
                var right = queue
                right.kept[state] = counted
                report(
                    .timerMissing,
                    "retention of \(state.name) tasks of queue \(String(decoding: queue.name, as: UTF8.self))",
                    .queue(right), .entry(Tables.timers, counted.timer(number, state).bytes, flags: 0))
            }
        }
    }
}

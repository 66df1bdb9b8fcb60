import MartletProtocol
import MartletStorage

/// UNIQUE keys: who holds one is known, and holds it as long as it should.
extension Census {
    /// A hold and where it was found.
    struct FoundHold {
        var queue: UInt32
        var hash: UInt64
        var hold: UniqueHold
    }

    mutating func readUnique<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        var found: [FoundHold] = []
        try transaction.scanRecords(Tables.unique, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            let queue: UInt32 = reader.next()
            let hash: UInt64 = reader.next()
            for hold in UniqueBucket(from: &record).holds { found.append(.init(queue: queue, hash: hash, hold: hold)) }
            return true
        }
        holds = found
    }

    func uniqueDisagreements() -> [String] {
        var findings: [String] = []
        for found in holds {
            let (sequence, task) = (found.hold.sequence, tasks[found.hold.sequence])
            let isOwn = task?.unique?.key == found.hold.key && task?.queue == found.queue
            // A hold that outlives its task outlives its task's stay in the queue, too.
            if !isOwn, !found.hold.outlives || task != nil {
                findings.append("task \(sequence) holds a UNIQUE key that is not its own")
            }
            if task?.unique?.until == .done, ended[sequence] != nil {
                findings.append("task \(sequence) has ended but holds its UNIQUE key")
            }
        }
        return findings + missingHolds() + uniqueTimerDisagreements()
    }

    /// A key that only an end or a removal frees is held until then.
    private func missingHolds() -> [String] {
        let holders = Set(holds.map(\.hold.sequence))
        return tasks.compactMap { sequence, task in
            guard let unique = task.unique, unique.span == nil, !holders.contains(sequence) else { return nil }
            // A cancelled task may have lost its key to the one that replaced it.
            let isHeld =
                unique.until == .expire && ended[sequence]?.state != .cancelled
                || unique.until == .done && ended[sequence] == nil
            return isHeld ? "task \(sequence) does not hold its UNIQUE key" : nil
        }
    }

    private func uniqueTimerDisagreements() -> [String] {
        func name(_ at: Timestamp?, _ sequence: UInt64, _ queue: UInt32, _ hash: UInt64) -> String {
            "\(at ?? 0)/\(sequence)/\(queue)/\(hash)"
        }
        let set = timers.filter { $0.kind == .unique }.map { name($0.at, $0.sequence, $0.queue, $0.hash) }
        let wanted = holds.filter { $0.hold.until != nil }
            .map { name($0.hold.until, $0.hold.sequence, $0.queue, $0.hash) }
        return Set(set) == Set(wanted) && set.count == wanted.count
            ? [] : ["timers of UNIQUE keys are not those wanted"]
    }
}

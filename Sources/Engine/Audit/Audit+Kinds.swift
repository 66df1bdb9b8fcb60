import MartletProtocol
import MartletStorage

extension Audit {
    /// A dead task: counted among those of its kind.
    mutating func tally(kindOf state: StateRecord) {
        guard let secret = broker?.secret else { return }
        let place = KindPlace(of: state.errorKind, in: state.queue, secret: secret)
        let at = state.endedAt ?? 0
        var kind = kinds[place] ?? DeadKind(kind: state.errorKind, count: 0, newestAt: at, message: nil)
        kind.count += 1
        if at >= kind.newestAt {
            kind.newestAt = at
            kind.message = state.lastError.map { Engine.cut($0, DeadKind.messageLimit) }
        }
        kinds[place] = kind
    }

    /// Each kind is counted as often as it occurs.
    mutating func walkKinds<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        guard broker != nil else { return }
        try records(
            Tables.kinds, transaction, decode: { DeadKind(from: &$1) },
            damaged: { audit, key in audit.report(.damagedRecord, "count of a kind", .delete(Tables.kinds, key)) },
            { audit, key, kind in
                let counted = audit.kinds.removeValue(forKey: KindPlace(key))
                guard counted?.count != kind.count else { return }
                let name = kind.kind.map { String(decoding: $0, as: UTF8.self) } ?? "none"
                audit.report(
                    .kindWrong, "kind \(name) counts \(kind.count), not \(counted?.count ?? 0)",
                    counted.map { .kind(key, $0) } ?? .delete(Tables.kinds, key))
            })
        for (place, kind) in kinds.sorted(by: { $0.key.key < $1.key.key }) {
            let name = kind.kind.map { String(decoding: $0, as: UTF8.self) } ?? "none"
            report(.kindWrong, "kind \(name) is not counted", .kind(place.key, kind))
        }
    }

    /// A pause that ends by itself has its timer.
    mutating func checkPauses<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        for (number, queue) in queues.sorted(by: { $0.key < $1.key }) {
            if queue.lining.isUnderWay, try !hasLiningTimer(number, transaction) {
                report(
                    .timerMissing, "lines of queue \(number)",
                    .entry(Tables.timers, TimerKey(at: now, kind: .lines, sequence: 0, queue: number).bytes, flags: 0))
            }
            guard let at = queue.pause.nextEnd else { continue }
            try expect(TimerKey(at: at, kind: .resume, sequence: 0, queue: number), transaction)
        }
    }
}

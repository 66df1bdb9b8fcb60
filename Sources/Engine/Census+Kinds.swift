import MartletProtocol
import MartletStorage

/// Dead tasks by kind of error: what is counted is what there is.
extension Census {
    /// A count and the queue it is of.
    struct FoundKind {
        var queue: UInt32
        var kind: DeadKind
    }

    private struct Name: Hashable {
        var queue: UInt32
        var kind: Bytes?
    }

    mutating func readKinds<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        var found: [FoundKind] = []
        try transaction.scanRecords(Tables.kinds, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            found.append(.init(queue: reader.next(), kind: DeadKind(from: &record)))
            return true
        }
        kinds = found
    }

    func kindDisagreements() -> [String] {
        var dead: [Name: Int64] = [:]
        for state in (states[.ended] ?? [:]).values where state.state == .dead {
            dead[Name(queue: state.queue, kind: state.errorKind), default: 0] += 1
        }
        for found in kinds { dead[Name(queue: found.queue, kind: found.kind.kind), default: 0] -= found.kind.count }
        return dead.filter { $0.value != 0 }.map { name, missing in
            let kind = String(decoding: name.kind ?? [], as: UTF8.self)
            return "queue \(name.queue) has \(missing) more dead tasks of kind '\(kind)' than are counted"
        }
    }
}

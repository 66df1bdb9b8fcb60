import MartletProtocol

/// The operations on many tasks that run, and the newest that are over. In memory; each has a record.
struct Operations {
    private(set) var all: [UInt64: BulkOperation] = [:]
    /// Those that are not over.
    private(set) var running: Set<UInt64> = []
    /// Slices so far.
    var turns: UInt64 = 0

    /// Oldest first.
    var ordered: [BulkOperation] { all.values.sorted { $0.number < $1.number } }

    /// The oldest that is over.
    var oldestOver: UInt64? { all.keys.filter { !running.contains($0) }.min() }

    subscript(number: UInt64) -> BulkOperation? {
        get { all[number] }
        set {
            all[number] = newValue
            if let newValue, !newValue.state.isOver { running.insert(number) } else { running.remove(number) }
        }
    }

    /// A deleted queue is being removed.
    var removesQueue: Bool { running.contains { all[$0]?.verb == .remove } }

    /// When the next slice is to come; `nil`: nothing runs.
    var nextInstant: Timestamp? { running.compactMap { all[$0]?.pace.next }.min() }

    /// Among those that may go on now, the one whose last turn is longest ago.
    func first(at now: Timestamp) -> BulkOperation? {
        running.compactMap { all[$0] }.filter { $0.pace.next <= now }
            .min { ($0.pace.turn, $0.number) < ($1.pace.turn, $1.number) }
    }
}

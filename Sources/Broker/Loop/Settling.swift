import MartletEngine
import MartletProtocol
import MartletStorage

/// When the journal's groups are brought into the tables' file: once nothing more comes. Under load the journal's end
/// does it, and no timer.
struct Settling {
    /// So long nothing may have come.
    private static let calm: Milliseconds = 500
    /// The most a power cut may take back with durability `everysec`.
    private static let window: Milliseconds = 1_000

    private var settleAt = Timestamp.max
    private var flushAt = Timestamp.max
    private var seen = 0

    var next: Timestamp { min(settleAt, flushAt) }

    /// After a round: what it left behind is planned for.
    mutating func plan(_ store: TaskStore, _ now: Timestamp) {
        guard store.readOnlyReason == nil else { return self = Settling() }
        if settleAt == .max, store.unsettledGroups > 0 { settleAt = now + Self.calm }
        if flushAt == .max, store.flushesLater { flushAt = now + Self.window }
    }

    /// Does what is due.
    mutating func run(_ store: TaskStore, _ now: Timestamp) throws(StorageError) {
        if flushAt <= now {
            flushAt = .max
            try store.flush()
        }
        guard settleAt <= now else { return }
        let groups = store.unsettledGroups
        settleAt = .max
        if groups == seen { try store.settle() }
        seen = groups
    }
}

extension Broker {
    func settle(_ now: Timestamp) {
        guard settling.next <= now else { return }
        do throws(StorageError) {
            try settling.run(store, now)
        } catch {
            gate.failed(error, store, now, logger)
        }
    }
}

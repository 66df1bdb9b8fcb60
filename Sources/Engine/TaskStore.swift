public import MartletProtocol
public import MartletStorage

/// How a store is opened: as its environment is.
public typealias TaskStoreOptions = EnvironmentOptions

/// The one door to the engine: groups of operations, each one transaction. Confined to its owner's thread.
public final class TaskStore {
    private var engine: Engine
    private let environment: Environment
    private var space: Space
    private let zones: ZoneTable
    private let seed: UInt64

    /// Opens (creates) the data in `directory` and rebuilds what is kept in memory: reads the queues, the active tasks
    /// and the remembered nonces, nothing else.
    /// - Throws: `.busy` if another process holds the directory; `.version` for another format.
    public init(
        directory: String, options: TaskStoreOptions = .init(), zones: ZoneTable = ZoneTable(), now: Timestamp,
        seed: UInt64
    ) throws(StorageError) {
        environment = try Environment(
            directory: directory, tables: Tables.all, options: options)
        space = Space(environment)
        _ = space.level(environment)
        (self.zones, self.seed) = (zones, StableHash.mix(seed, UInt64(bitPattern: now)))
        engine = Engine(broker: BrokerRecord(secret: self.seed), zones: zones, seed: seed)
        try putAside(try load(), now)
    }

    /// What cannot be read is named and out of the way; if there is no room to keep it, another time.
    private func putAside(_ damages: [StorageError], _ now: Timestamp) throws(StorageError) {
        guard !damages.isEmpty else { return }
        do throws(StorageError) {
            try write(now: now) { (engine, transaction) throws(StorageError) in
                for damage in damages { _ = try engine.putAside(damage, at: now, in: transaction) }
            }
        } catch {
            guard error.kind == .full else { throw error }
        }
    }

    /// Rebuilds what is kept in memory.
    /// - Returns: what cannot be read and is to be put aside.
    private func load() throws(StorageError) -> [StorageError] {
        var fresh = Engine(broker: BrokerRecord(secret: seed), zones: zones, seed: seed)
        let damaged = try environment.read { (transaction) throws(StorageError) in try fresh.load(transaction) }
        engine = fresh
        return damaged
    }

    /// Runs a group: `body`'s operations become durable together before this returns, or with the next flush if
    /// `flushed`, asked when they are done, says so. When anything throws, nothing happened, in memory either.
    public func write<R>(
        now: Timestamp, flushed: () -> Bool = { true },
        _ body: (inout Engine, borrowing Transaction<Writing>) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        engine.beginGroup()
        do throws(StorageError) {
            let result = try environment.write(flushed: flushed) { (transaction) throws(StorageError) -> R in
                let result = try body(&engine, transaction)
                try engine.sealGroup(now: now, in: transaction)
                return result
            }
            engine.commitGroup(now: now)
            return result
        } catch {
            engine.rollBackGroup()
            throw error
        }
    }

    /// Runs `body` on a snapshot of what is durable.
    public func read<R>(
        _ body: (borrowing Engine, borrowing Transaction<Reading>) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        try environment.read { (transaction) throws(StorageError) -> R in try body(engine, transaction) }
    }

    /// Runs `body` on what is in memory alone: blocked callers, deadlines.
    public func withEngine<R>(_ body: (inout Engine) -> R) -> R { body(&engine) }

    /// How much room there is for new work; looks at the disk and the map.
    public func spaceLevel() -> SpaceLevel { space.level(environment) }

    /// The disk is full and work in hand must be finished: gives the reserve up. `false` if it was gone already.
    public func giveUpReserve() -> Bool { space.giveUpReserve() }

    /// Why nothing can be written any more, if that is so.
    public var readOnlyReason: StorageError? { environment.readOnlyReason }

    /// Bytes of the data file in use, and its cap.
    public var usage: (used: Int, capacity: Int) { environment.usage }

    /// How many groups only the journal holds, not the tables' file.
    public var unsettledGroups: Int { environment.unsettledGroups }

    /// Brings them there: a few milliseconds, best when nothing else is to be done.
    public func settle() throws(StorageError) { try environment.settle() }

    /// Whether groups were answered that a power cut could still take back: only with durability `everySecond`.
    public var flushesLater: Bool { environment.options.durability == .everySecond && environment.isUnflushed }

    /// Makes them durable.
    public func flush() throws(StorageError) { try environment.flush() }

    /// A flush of the groups that wait for one, to be run on another thread while the next groups run here; `nil`:
    /// none waits. Nothing of these groups may be told to anybody before `endFlush`.
    public func beginFlush() -> JournalFlush? { environment.beginFlush() }

    /// `flush` was run, with `code`. If it failed, its groups and all later ones never were: memory is rebuilt from
    /// what is durable, and whoever was blocked is forgotten.
    /// - Throws: what went wrong; its groups must not be answered then.
    public func endFlush(_ flush: JournalFlush, _ code: Int32) throws(StorageError) {
        do throws(StorageError) {
            try environment.endFlush(flush, code)
        } catch {
            if code != 0 { _ = try load() }
            throw error
        }
    }

    /// For a look from another thread at everything that was done so far. Closing the store waits for that look.
    public func sideReader() throws(StorageError) -> SideReader { try environment.sideReader() }

    /// Lets go of the directory. Nothing may be used afterwards.
    public func close() { environment.close() }

    /// Lets go of it as the end of the process would.
    public func abandon() { environment.abandon() }
}

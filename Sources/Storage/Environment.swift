import CLMDB
import Glibc

/// How an environment is opened.
public struct EnvironmentOptions {
    /// Size of the map in bytes: the cap of the data file. Address space only, nothing is allocated.
    public var maxBytes: Int
    /// Makes calls fail, in tests.
    public var faults: FaultInjector?
    /// Gets what every group does.
    public var effects: EffectLog?
    /// Size of the journal in bytes; 0: none, every group is a commit of LMDB.
    public var journalBytes: Int
    public var durability: Durability

    /// Bytes of the journal, unless said otherwise.
    public static let defaultJournal = 8 << 20

    public init(
        maxBytes: Int = 1 << 40, journalBytes: Int = Self.defaultJournal, durability: Durability = .always,
        faults: FaultInjector? = nil, effects: EffectLog? = nil
    ) {
        self.maxBytes = maxBytes
        self.journalBytes = journalBytes
        self.durability = durability
        self.faults = faults
        self.effects = effects
    }
}

/// An LMDB environment: a directory with ordered tables, one writer at a time, readers that see a snapshot.
///
/// A group is durable when `Journal` has it or LMDB has committed it; LMDB's commits are always synced, never with
/// NOSYNC or WRITEMAP: see `docs/decisions/002-lmdb-flags.md` and `006-journal.md`. Confined to its owner's thread.
public final class Environment {
    public let directory: String
    public let options: EnvironmentOptions
    var handle: OpaquePointer
    private var lock: DirectoryLock?
    var journal: Journal?
    let state: TransactionState
    let readState: TransactionState
    let tables: [Table]
    var reader: OpaquePointer?
    /// Whoever looks from another thread.
    var side: SideReader?
    /// LMDB's transaction of the groups it has not committed.
    var open: OpaquePointer?
    /// Whether groups may go to the journal; `false`: each is a commit of LMDB, whose room is what counts.
    public var usesJournal = true
    /// Why nothing can be written any more, if that is so.
    public internal(set) var readOnlyReason: StorageError?

    /// Opens (creates) `directory` with its tables.
    /// - Throws: `.busy` if another process holds it, `.version`, or what the operating system says.
    public init(directory: String, tables: [Table], options: EnvironmentOptions = .init()) throws(StorageError) {
        self.directory = directory
        self.options = options
        self.tables = tables
        try prepareDirectory(directory)
        lock = try DirectoryLock(directory: directory)
        journal = try Journal(directory: directory, wanted: options.journalBytes)
        handle = try Self.open(directory, tables: tables.count, maxBytes: options.maxBytes, flags: 0)
        state = TransactionState(tables: tables.count, faults: options.faults)
        readState = TransactionState(tables: tables.count, faults: nil)
        try openTables()
        try recover()
    }

    deinit { abandon() }

    private var isClosed = false

    /// Commits what is open and lets go of the directory. Nothing may be used afterwards.
    public func close() {
        if readOnlyReason == nil { try? settle() }
        abandon()
    }

    /// Lets go of the directory as a crash would: what only the journal holds is found again at the next opening.
    public func abandon() {
        guard !isClosed else { return }
        isClosed = true
        endSideReader()
        dropOpen()
        closeReader()
        mdb_env_close(handle)
        lock = nil
    }

    static func open(
        _ directory: String, tables: Int, maxBytes: Int, flags: Int32
    ) throws(StorageError) -> OpaquePointer {
        var created: OpaquePointer?
        try check(mdb_env_create(&created), "cannot create an environment")
        guard let handle = created else { throw StorageError(.failed, "cannot create an environment") }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        mdb_env_set_mapsize(handle, max(page * 64, maxBytes / page * page))
        mdb_env_set_maxdbs(handle, UInt32(tables))
        let code = mdb_env_open(handle, directory, UInt32(MDB_NOTLS | MDB_NOMEMINIT | flags), 0o600)
        guard code == MDB_SUCCESS else {
            mdb_env_close(handle)
            throw StorageError(code: code, "cannot open the data in \(directory)")
        }
        var stale: Int32 = 0
        mdb_reader_check(handle, &stale)
        return handle
    }

    func openTables() throws(StorageError) {
        var opened: OpaquePointer?
        try check(mdb_txn_begin(handle, nil, 0, &opened), "cannot begin")
        for table in tables {
            var number: MDB_dbi = 0
            let code = mdb_dbi_open(opened, table.name, UInt32(MDB_CREATE), &number)
            guard code == MDB_SUCCESS else {
                mdb_txn_abort(opened)
                throw StorageError(code: code, "cannot open table \(table.name) in \(directory)")
            }
            state.tables[table.index] = number
            readState.tables[table.index] = number
        }
        try check(mdb_txn_commit(opened), "cannot create the tables in \(directory)")
    }

    // MARK: Figures

    /// Bytes of the map in use (pages ever used, free ones included), and the map's size.
    public var usage: (used: Int, capacity: Int) {
        var information = MDB_envinfo()
        mdb_env_info(handle, &information)
        var statistics = MDB_stat()
        mdb_env_stat(handle, &statistics)
        return ((Int(information.me_last_pgno) + 1) * Int(statistics.ms_psize), Int(information.me_mapsize))
    }
}

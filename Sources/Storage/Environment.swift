import CLMDB
import Glibc

/// How an environment is opened.
public struct EnvironmentOptions {
    /// Size of the map in bytes: the cap of the data file. Address space only, nothing is allocated.
    public var maxBytes: Int
    /// Makes calls fail, in tests.
    public var faults: FaultInjector?
    /// Collects what every group does.
    public var effects: EffectLog?

    public init(maxBytes: Int = 1 << 40, faults: FaultInjector? = nil, effects: EffectLog? = nil) {
        self.maxBytes = maxBytes
        self.faults = faults
        self.effects = effects
    }
}

/// An LMDB environment: a directory with ordered tables, one writer at a time, readers that see a snapshot.
///
/// Always opened with synced commits, never with NOSYNC or WRITEMAP: see `docs/decisions/002-lmdb-flags.md`.
/// Confined to its owner's thread.
public final class Environment {
    public let directory: String
    public let options: EnvironmentOptions
    var handle: OpaquePointer
    private var lock: DirectoryLock?
    let state: TransactionState
    private let readState: TransactionState
    private let tableNames: [String]
    private var reader: OpaquePointer?
    /// Why nothing can be written any more, if that is so.
    public private(set) var readOnlyReason: StorageError?

    /// Opens (creates) `directory` with its tables.
    /// - Throws: `.busy` if another process holds it, `.version`, or what the operating system says.
    public init(directory: String, tables: [Table], options: EnvironmentOptions = .init()) throws(StorageError) {
        self.directory = directory
        self.options = options
        tableNames = tables.map(\.name)
        try prepareDirectory(directory)
        lock = try DirectoryLock(directory: directory)
        handle = try Self.open(directory, tables: tables.count, maxBytes: options.maxBytes, flags: 0)
        state = TransactionState(tables: tables.count, faults: options.faults, effects: options.effects)
        readState = TransactionState(tables: tables.count, faults: nil, effects: nil)
        try openTables(flags: UInt32(MDB_CREATE))
    }

    deinit { close() }

    private var isClosed = false

    /// Lets go of the directory. Nothing may be used afterwards.
    public func close() {
        guard !isClosed else { return }
        isClosed = true
        closeReader()
        mdb_env_close(handle)
        lock = nil
    }

    private static func open(
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

    private func openTables(flags: UInt32) throws(StorageError) {
        var opened: OpaquePointer?
        let access = flags == 0 ? UInt32(MDB_RDONLY) : 0
        try check(mdb_txn_begin(handle, nil, access, &opened), "cannot begin")
        for (index, name) in tableNames.enumerated() {
            var table: MDB_dbi = 0
            let code = mdb_dbi_open(opened, name, flags, &table)
            guard code == MDB_SUCCESS else {
                mdb_txn_abort(opened)
                throw StorageError(code: code, "cannot open table \(name) in \(directory)")
            }
            state.tables[index] = table
            readState.tables[index] = table
        }
        try check(mdb_txn_commit(opened), "cannot create the tables in \(directory)")
    }

    // MARK: Transactions

    // Specialising these two for a closure crashes the optimiser of Swift 6.3.1; they run once a group.
    /// Runs `body` as the only writer. Commits, durably, when it returns; when anything throws, nothing was changed.
    @_semantics("optimize.sil.specialize.generic.never")
    public func write<R>(
        _ body: (borrowing Transaction<Writing>) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        if let readOnlyReason { throw readOnlyReason }
        var begun: OpaquePointer?
        try check(mdb_txn_begin(handle, nil, 0, &begun), "cannot begin a group")
        guard let begun else { throw StorageError(.failed, "cannot begin a group") }
        state.begin()
        let transaction = Transaction<Writing>(handle: begun, state: state)
        let result: R
        do throws(StorageError) {
            result = try body(transaction)
            if let code = state.faults?.next() { throw StorageError(code: code, "cannot commit") }
        } catch {
            state.end()
            mdb_txn_abort(begun)
            throw error
        }
        state.end()
        let code = mdb_txn_commit(begun)
        guard code == MDB_SUCCESS else { throw failedCommit(code) }
        return result
    }

    /// A commit that failed for want of space is an ordinary refusal. After any other failure nobody knows what the
    /// disk holds, and LMDB may not say so the next time: nothing more is written.
    private func failedCommit(_ code: Int32) -> StorageError {
        var error = StorageError(code: code, "cannot commit to \(directory)")
        // LMDB reports a write that a full disk cut short as an I/O error.
        if code == EIO, let available = Space.available(directory), available < 64 * 1024 { error.kind = .full }
        if error.kind != .full { stopWriting(error) }
        return error
    }

    /// Nothing is written from now on; what was committed can still be read. Reopens the data read-only, because LMDB
    /// refuses even to read after a failed write of its meta page; ends the process with 74 if that is impossible.
    public func stopWriting(_ reason: StorageError) {
        guard readOnlyReason == nil else { return }
        var reason = reason
        reason.kind = .failed
        readOnlyReason = reason
        closeReader()
        mdb_env_close(handle)
        do throws(StorageError) {
            handle = try Self.open(directory, tables: tableNames.count, maxBytes: options.maxBytes, flags: MDB_RDONLY)
            try openTables(flags: 0)
        } catch {
            let line = Array("martlet: \(reason); and the data cannot be reopened for reading: \(error)\n".utf8)
            _ = Glibc.write(STDERR_FILENO, line, line.count)
            exit(74)
        }
    }

    /// Runs `body` on a snapshot of what was committed last.
    @_semantics("optimize.sil.specialize.generic.never")
    public func read<R>(
        _ body: (borrowing Transaction<Reading>) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        if let reader {
            try check(mdb_txn_renew(reader), "cannot read")
        } else {
            try check(mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &reader), "cannot read")
        }
        guard let reader else { throw StorageError(.failed, "cannot read") }
        defer {
            readState.end()
            mdb_txn_reset(reader)
        }
        return try body(Transaction<Reading>(handle: reader, state: readState))
    }

    private func closeReader() {
        if let reader { mdb_txn_abort(reader) }
        reader = nil
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

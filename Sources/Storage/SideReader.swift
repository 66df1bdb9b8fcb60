import CLMDB
import Glibc
import Synchronization

/// Looks at what LMDB has committed from another thread, beside the owner of the environment, which goes on meanwhile.
///
/// Each look is a transaction of its own, begun and ended on the thread that looks (`lmdb.h`: an environment may be
/// used by many threads, a transaction by one). A long one keeps the pages it sees from being used again: the data file
/// grows by what is changed meanwhile.
public final class SideReader: Sendable {
    /// Where the environment is, for `mdb_txn_begin`; 0: it is closed. Held while somebody looks.
    private let environment: Mutex<UInt>
    private let tables: [MDB_dbi]
    private let isEnding = Atomic<Bool>(false)

    init(_ environment: OpaquePointer, tables: [MDB_dbi]) {
        self.environment = Mutex(UInt(bitPattern: environment))
        self.tables = tables
    }

    /// Whether a look is to end soon, because the environment is about to be closed.
    public var isEnded: Bool { isEnding.load(ordering: .relaxed) }

    /// The environment is about to be closed: waits for the look that is going on. Nobody looks afterwards.
    func end() {
        isEnding.store(true, ordering: .relaxed)
        environment.withLock { $0 = 0 }
    }

    private func withEnvironment<R>(
        _ body: (OpaquePointer) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        let result: Result<R, StorageError> = environment.withLock { address in
            guard let handle = OpaquePointer(bitPattern: address) else { return .failure(Self.closed) }
            do throws(StorageError) { return .success(try body(handle)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// That the data are being closed.
    public static var closed: StorageError { StorageError(.failed, "the data are being closed") }

    /// Runs `body` on a snapshot of what is committed.
    public func read<R>(
        _ body: (borrowing Transaction<Reading>) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        try withEnvironment { (environment) throws(StorageError) in
            let state = TransactionState(tables: tables.count, faults: nil)
            for index in tables.indices { state.tables[index] = tables[index] }
            var opened: OpaquePointer?
            try check(mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &opened), "cannot read")
            guard let handle = opened else { throw StorageError(.failed, "cannot read") }
            defer {
                state.end()
                mdb_txn_abort(handle)
            }
            return try body(Transaction<Reading>(handle: handle, state: state))
        }
    }

    /// Copies what is committed, without free pages, into a new directory that an environment can be opened in. It is
    /// there whole and durable, or not at all.
    /// - Parameter path: absolute; nothing may be there but an empty directory.
    /// - Throws: `.full`, or what the operating system says.
    public func copy(to path: String) throws(StorageError) {
        guard rmdir(path) == 0 || errno == ENOENT else {
            throw StorageError(code: errno, "cannot put a snapshot to \(path)")
        }
        let partial = path + ".partial"
        unlink(partial + "/data.mdb")
        rmdir(partial)
        guard mkdir(partial, 0o700) == 0 else { throw StorageError(code: errno, "cannot create \(partial)") }
        do throws(StorageError) {
            try copyFile(to: partial + "/data.mdb")
            try synchronize(partial)
            guard rename(partial, path) == 0 else { throw StorageError(code: errno, "cannot create \(path)") }
            try synchronize(path + "/..")
        } catch {
            unlink(partial + "/data.mdb")
            rmdir(partial)
            throw error
        }
    }

    private func copyFile(to path: String) throws(StorageError) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StorageError(code: errno, "cannot create \(path)") }
        defer { close(file) }
        try withEnvironment { (environment) throws(StorageError) in
            try check(mdb_env_copyfd2(environment, file, UInt32(MDB_CP_COMPACT)), "cannot copy the data to \(path)")
        }
        guard fsync(file) == 0 else { throw StorageError(code: errno, "cannot flush \(path)") }
    }

    private func synchronize(_ directory: String) throws(StorageError) {
        let file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard file >= 0 else { throw StorageError(code: errno, "cannot open \(directory)") }
        defer { close(file) }
        guard fsync(file) == 0 else { throw StorageError(code: errno, "cannot flush \(directory)") }
    }
}

extension Environment {
    /// For a look from another thread at everything that was done so far.
    public func sideReader() throws(StorageError) -> SideReader {
        if let readOnlyReason { throw readOnlyReason }
        try settle()
        let side = side ?? SideReader(handle, tables: tables.map { state.tables[$0.index] })
        self.side = side
        return side
    }

    /// The handle is about to be closed.
    func endSideReader() {
        side?.end()
        side = nil
    }
}

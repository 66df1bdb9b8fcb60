import CLMDB
import Glibc

/// What is left to do when the disk fails.
extension Environment {
    /// The open group is undone; the groups before it stand.
    func undoGroup() {
        dropOpen()
        guard isUnsettled else { return }
        do throws(StorageError) {
            try replayJournal()
        } catch {
            stopWriting(error)
        }
    }

    /// Runs what makes groups durable. Want of space is an ordinary refusal. After any other failure nobody knows what
    /// the disk holds, and the system may not say so the next time: nothing more is written.
    func orStop(_ flush: () throws(StorageError) -> Void) throws(StorageError) {
        do throws(StorageError) {
            try flush()
        } catch {
            let error = judged(error)
            if error.kind == .full { undoGroup() } else { stopWriting(error) }
            throw error
        }
    }

    /// LMDB reports a write that a full disk cut short as an I/O error.
    private func judged(_ error: StorageError) -> StorageError {
        guard error.code == EIO, let available = Space.available(directory), available < 64 * 1024 else { return error }
        var error = error
        error.kind = .full
        return error
    }

    /// Nothing is written from now on; what became durable can still be read. Opens the data again, because LMDB
    /// refuses even to read after a failed write of its meta page, and does again what only the journal holds, in a
    /// transaction that is never committed; ends the process with 74 if that is impossible.
    public func stopWriting(_ reason: StorageError) {
        guard readOnlyReason == nil else { return }
        var reason = reason
        reason.kind = .failed
        readOnlyReason = reason
        dropOpen()
        closeReader()
        endSideReader()
        mdb_env_close(handle)
        do throws(StorageError) {
            handle = try Self.open(directory, tables: tables.count, maxBytes: options.maxBytes, flags: 0)
            try openTables()
            if isUnsettled { try replayJournal() }
        } catch {
            let line = Array("martlet: \(reason); and the data cannot be opened again: \(error)\n".utf8)
            _ = Glibc.write(STDERR_FILENO, line, line.count)
            exit(74)
        }
    }

    func closeReader() {
        if let reader { mdb_txn_abort(reader) }
        reader = nil
    }
}

import CLMDB

/// What a transaction may do, said by its type.
public enum Reading {}
public enum Writing {}

/// One LMDB transaction, lent to a closure by `Environment.write` or `Environment.read`.
///
/// `Access` says at compile time whether it may write. It cannot be copied, stored or kept past the closure.
public struct Transaction<Access>: ~Copyable {
    let handle: OpaquePointer
    let state: TransactionState
}

/// What lasts from one transaction to the next: table handles, the record buffer; and the open one's cursors.
///
/// Looked at for every record: its parts are constants that hold what changes, because each use of a variable of a
/// class is checked for exclusive access when the program runs.
final class TransactionState {
    /// By the table's index.
    let tables: UnsafeMutableBufferPointer<MDB_dbi>
    let cursors: UnsafeMutableBufferPointer<OpaquePointer?>
    var writer = RecordWriter()
    let effects = GroupEffects()
    let faults: FaultInjector?

    init(tables count: Int, faults: FaultInjector?) {
        tables = .allocate(capacity: count)
        tables.initialize(repeating: 0)
        cursors = .allocate(capacity: count)
        cursors.initialize(repeating: nil)
        self.faults = faults
    }

    deinit {
        tables.deallocate()
        cursors.deallocate()
    }

    /// A group begins; its effects are collected up to so many bytes.
    func begin(collecting limit: Int) {
        effects.begin()
        effects.limit = limit
        writer.shrink()
    }

    /// The transaction ends.
    func end() {
        for index in cursors.indices {
            if let cursor = cursors[index] { mdb_cursor_close(cursor) }
            cursors[index] = nil
        }
    }
}

extension Transaction {
    /// The transaction's cursor on a table, opened once: a seek near the last one then costs no descent.
    func cursor(_ table: Table) throws(StorageError) -> OpaquePointer {
        if let cursor = state.cursors[table.index] { return cursor }
        var opened: OpaquePointer?
        try check(mdb_cursor_open(handle, state.tables[table.index], &opened), "cannot read \(table.name)")
        guard let cursor = opened else { throw StorageError(.failed, "cannot read \(table.name)") }
        state.cursors[table.index] = cursor
        return cursor
    }

    /// Positions `cursor` at `key` exactly (`MDB_SET_KEY`) or at the first key not below it (`MDB_SET_RANGE`).
    func seek(
        _ cursor: OpaquePointer, _ table: Table, _ key: KeyBytes, _ operation: MDB_cursor_op
    ) throws(StorageError) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        // An empty key stands for "from the beginning"; LMDB has no such key.
        guard key.count > 0 else { return try step(cursor, table, MDB_FIRST) }
        var found = MDB_val()
        var value = MDB_val()
        let code = key.withBytes { bytes in
            found = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            return mdb_cursor_get(cursor, &found, &value, operation)
        }
        if code == MDB_NOTFOUND { return nil }
        guard code == MDB_SUCCESS else {
            throw StorageError(code: code, "cannot read \(table.name)", table: table, key: key)
        }
        return (UnsafeRawBufferPointer(found), UnsafeRawBufferPointer(value))
    }

    /// Moves `cursor` on.
    func step(
        _ cursor: OpaquePointer, _ table: Table, _ operation: MDB_cursor_op
    ) throws(StorageError) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer)? {
        var found = MDB_val()
        var value = MDB_val()
        let code = mdb_cursor_get(cursor, &found, &value, operation)
        if code == MDB_NOTFOUND { return nil }
        try check(code, "cannot read \(table.name)")
        return (UnsafeRawBufferPointer(found), UnsafeRawBufferPointer(value))
    }
}

extension UnsafeRawBufferPointer {
    init(_ value: MDB_val) {
        self.init(start: value.mv_data, count: value.mv_size)
    }
}

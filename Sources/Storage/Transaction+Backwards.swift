import CLMDB

extension Transaction {
    /// The last key below `before` that begins with `prefix`. `before` is not empty.
    public func last(_ table: Table, before: KeyBytes, prefix: KeyBytes) throws(StorageError) -> KeyBytes? {
        let cursor = try cursor(table)
        let above = try seek(cursor, table, before, MDB_SET_RANGE)
        guard let found = try step(cursor, table, above == nil ? MDB_LAST : MDB_PREV) else { return nil }
        let key = KeyBytes(copying: found.key)
        return key.begins(with: prefix) ? key : nil
    }
}

import CLMDB

extension Transaction {
    /// Decodes the record under `key`; `nil` if there is none. `body` must not write.
    /// - Throws: `.damaged`, naming table and key, if the record does not match its checksum or does not decode.
    public func read<R>(
        _ table: Table, _ key: KeyBytes, _ body: (inout RecordReader) -> R
    ) throws(StorageError) -> R? {
        let cursor = try cursor(table)
        guard let found = try seek(cursor, table, key, MDB_SET_KEY) else { return nil }
        return try decode(table, key, found.value, body)
    }

    /// Whether there is anything under `key`.
    public func contains(_ table: Table, _ key: KeyBytes) throws(StorageError) -> Bool {
        try seek(try cursor(table), table, key, MDB_SET_KEY) != nil
    }

    /// The first key that is not below `from` and begins with `prefix`, with the flag its value carries (0: empty).
    public func first(
        _ table: Table, from: KeyBytes, prefix: KeyBytes
    ) throws(StorageError) -> (key: KeyBytes, flags: UInt8)? {
        let cursor = try cursor(table)
        guard let found = try seek(cursor, table, from, MDB_SET_RANGE) else { return nil }
        let key = KeyBytes(copying: found.key)
        return key.begins(with: prefix) ? (key, found.value.first ?? 0) : nil
    }

    /// Visits keys from `from` on that begin with `prefix`, in order, until `body` returns `false`. `body` gets the
    /// flag the value carries. It must neither write nor read the same table.
    public func scan(
        _ table: Table, from: KeyBytes, prefix: KeyBytes,
        _ body: (KeyBytes, UInt8) throws(StorageError) -> Bool
    ) throws(StorageError) {
        let cursor = try cursor(table)
        var found = try seek(cursor, table, from, MDB_SET_RANGE)
        while let entry = found {
            let key = KeyBytes(copying: entry.key)
            guard key.begins(with: prefix), try body(key, entry.value.first ?? 0) else { return }
            found = try step(cursor, table, MDB_NEXT)
        }
    }

    /// Visits records from `from` on that begin with `prefix`, in order, until `body` returns `false`. A damaged record
    /// is handed to `damaged` instead. `body` must neither write nor read the same table.
    public func scanRecords(
        _ table: Table, from: KeyBytes, prefix: KeyBytes,
        damaged: (KeyBytes) -> Void = { _ in },
        _ body: (KeyBytes, inout RecordReader) -> Bool
    ) throws(StorageError) {
        let cursor = try cursor(table)
        var found = try seek(cursor, table, from, MDB_SET_RANGE)
        while let entry = found {
            let key = KeyBytes(copying: entry.key)
            guard key.begins(with: prefix) else { return }
            do throws(StorageError) {
                guard try decode(table, key, entry.value, { body(key, &$0) }) else { return }
            } catch {
                guard error.kind == .damaged else { throw error }
                damaged(key)
            }
            found = try step(cursor, table, MDB_NEXT)
        }
    }

    /// How many keys the table has. Maintained by LMDB, never a scan.
    public func count(_ table: Table) throws(StorageError) -> Int {
        var statistics = MDB_stat()
        try check(mdb_stat(handle, state.tables[table.index], &statistics), "cannot count \(table.name)")
        return Int(statistics.ms_entries)
    }

    func decode<R>(
        _ table: Table, _ key: KeyBytes, _ stored: UnsafeRawBufferPointer, _ body: (inout RecordReader) -> R
    ) throws(StorageError) -> R {
        guard stored.count >= RecordFrame.header else { throw Self.damaged(table, key) }
        var reader = RecordReader(stored)
        let content = UnsafeRawBufferPointer(rebasing: stored[RecordFrame.header...])
        let sum = UInt32(littleEndian: stored.loadUnaligned(fromByteOffset: 1, as: UInt32.self))
        guard sum == RecordFrame.checksum(key: key, version: reader.version, body: content) else {
            throw Self.damaged(table, key)
        }
        let result = body(&reader)
        guard !reader.overran else { throw Self.damaged(table, key) }
        return result
    }

    static func damaged(_ table: Table, _ key: KeyBytes) -> StorageError {
        let name = key.bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        return StorageError(.damaged, "record \(name) of table \(table.name) is damaged", table: table, key: key)
    }
}

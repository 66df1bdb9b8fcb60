import CLMDB

/// Every change of a table goes through here: counted, made to fail in tests, collected as an effect.
extension Transaction where Access == Writing {
    /// Stores a record, sealed with its checksum. `fill` writes the fields.
    public func put(
        _ table: Table, _ key: KeyBytes, version: UInt8 = 1, _ fill: (inout RecordWriter) -> Void
    ) throws(StorageError) {
        try store(table, key, state.writer.fill(key, version, fill), 0)
    }

    /// The same for a key above all others of its table: no search, no half-empty pages.
    public func append(
        _ table: Table, _ key: KeyBytes, version: UInt8 = 1, _ fill: (inout RecordWriter) -> Void
    ) throws(StorageError) {
        try store(table, key, state.writer.fill(key, version, fill), UInt32(MDB_APPEND))
    }

    /// Stores an index entry: a key whose value is one byte of flags, or nothing when they are 0.
    public func put(_ table: Table, _ key: KeyBytes, flags: UInt8) throws(StorageError) {
        var flags = flags
        let length = flags == 0 ? 0 : 1
        try withUnsafeBytes(of: &flags) { (bytes) throws(StorageError) in
            try store(table, key, UnsafeRawBufferPointer(rebasing: bytes[0..<length]), 0)
        }
    }

    /// Deletes what is under `key`; `false` if there was nothing.
    @discardableResult
    public func delete(_ table: Table, _ key: KeyBytes) throws(StorageError) -> Bool {
        let cursor = try cursor(table)
        guard try seek(cursor, table, key, MDB_SET_KEY) != nil else { return false }
        try remove(cursor, table, key)
        return true
    }

    /// Decodes a record and deletes it, with one search; `nil` if there is none. A damaged one stays.
    public func take<R>(
        _ table: Table, _ key: KeyBytes, _ body: (inout RecordReader) -> R
    ) throws(StorageError) -> R? {
        let cursor = try cursor(table)
        guard let found = try seek(cursor, table, key, MDB_SET_KEY) else { return nil }
        let result = try decode(table, key, found.value, body)
        try remove(cursor, table, key)
        return result
    }

    /// Moves a record, as it is, to another table under `table index ‖ key`, so that it is out of the way but kept.
    /// - Returns: whether there was one.
    @discardableResult
    public func quarantine(_ table: Table, _ key: KeyBytes, in quarantine: Table) throws(StorageError) -> Bool {
        let cursor = try cursor(table)
        guard let found = try seek(cursor, table, key, MDB_SET_KEY) else { return false }
        let kept = Array(found.value)
        try remove(cursor, table, key)
        var name = KeyBytes()
        name.append(UInt8(truncatingIfNeeded: table.index))
        name.append(contentsOf: key)
        try kept.span.bytes.withUnsafeBytes { (bytes) throws(StorageError) in try store(quarantine, name, bytes, 0) }
        return true
    }

    private func store(
        _ table: Table, _ key: KeyBytes, _ value: UnsafeRawBufferPointer, _ flags: UInt32
    ) throws(StorageError) {
        if let code = state.faults?.next() { throw StorageError(code: code, "cannot write \(table.name)") }
        let cursor = try cursor(table)
        var stored = MDB_val(
            mv_size: value.count, mv_data: UnsafeMutableRawPointer(mutating: value.baseAddress))
        let code = key.withBytes { bytes in
            var name = MDB_val(mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
            return mdb_cursor_put(cursor, &name, &stored, flags)
        }
        try check(code, "cannot write \(table.name)")
        state.effects.append(table, key, value)
    }

    private func remove(_ cursor: OpaquePointer, _ table: Table, _ key: KeyBytes) throws(StorageError) {
        if let code = state.faults?.next() { throw StorageError(code: code, "cannot write \(table.name)") }
        try check(mdb_cursor_del(cursor, 0), "cannot write \(table.name)")
        state.effects.append(table, key, nil)
    }

    /// Does again what a group did: how a journal's effects get into the tables.
    /// - Throws: `.damaged` if the bytes are not a group's effects.
    public func replay(_ effects: [UInt8]) throws(StorageError) {
        try effects.span.bytes.withUnsafeBytes { (bytes) throws(StorageError) in try replay(bytes) }
    }

    func replay(_ effects: UnsafeRawBufferPointer) throws(StorageError) {
        try GroupEffects.forEach(in: effects) { (index, key, value) throws(StorageError) in
            guard index < state.tables.count else { throw StorageError(.version, "an effect on an unknown table") }
            let table = Table(index: index, name: "table \(index)")
            if let value {
                try store(table, key, value, 0)
            } else {
                try delete(table, key)
            }
        }
    }
}

import CLMDB

/// Groups: what becomes durable together.
extension Environment {
    // Specialising these two for a closure crashes the optimiser of Swift 6.3.1; they run once a group.
    /// Runs `body` as the only writer. What it did is durable when this returns; when anything throws, nothing of it
    /// happened.
    @_semantics("optimize.sil.specialize.generic.never")
    /// - Parameter flushed: asked once `body` is done; `false`: the group may wait for `beginFlush`.
    public func write<R>(
        flushed: () -> Bool = { true }, _ body: (borrowing Transaction<Writing>) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        if let readOnlyReason { throw readOnlyReason }
        let transaction = try openTransaction()
        state.begin(collecting: options.effects != nil ? .max : usesJournal ? journal?.room ?? 0 : 0)
        let result: R
        do throws(StorageError) {
            result = try body(Transaction<Writing>(handle: transaction, state: state))
            if let code = state.faults?.next() { throw StorageError(code: code, "cannot commit") }
        } catch {
            undoGroup()
            throw error
        }
        try orStop { () throws(StorageError) in try seal(transaction, flushed()) }
        return result
    }

    /// Runs `body` on a snapshot of the groups so far.
    @_semantics("optimize.sil.specialize.generic.never")
    public func read<R>(
        _ body: (borrowing Transaction<Reading>) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        if let open { return try body(Transaction<Reading>(handle: open, state: state)) }
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

    /// How many groups the journal holds that LMDB has not committed.
    public var unsettledGroups: Int { Int(journal?.groups ?? 0) }

    var isUnsettled: Bool { unsettledGroups > 0 }

    /// Whether groups were written that a power cut could still take back.
    public var isUnflushed: Bool { journal?.isUnflushed ?? false }

    /// A flush of the groups that wait for one, to be run beside the next groups; `nil`: none waits.
    public func beginFlush() -> JournalFlush? {
        options.durability == .always && readOnlyReason == nil ? journal?.beginFlush() : nil
    }

    /// `flush` was run. If it failed, the groups it was for are given up with all that came later, and nothing more is
    /// written.
    /// - Throws: what went wrong, with it or with another one meanwhile: those groups may be neither answered nor
    ///   counted on.
    public func endFlush(_ flush: JournalFlush, _ code: Int32) throws(StorageError) {
        if let readOnlyReason { throw readOnlyReason }
        guard code != 0 else { journal?.ended(flush); return }
        let error = StorageError(code: code, "cannot flush \(directory)/journal")
        journal?.dropUnflushed()
        stopWriting(error)
        throw error
    }

    /// Flushes the groups that are not.
    public func flush() throws(StorageError) {
        try orStop { () throws(StorageError) in try journal?.flush() }
    }

    /// Commits what only the journal holds: a few milliseconds. After a failure the journal still holds it.
    public func settle() throws(StorageError) {
        guard isUnsettled else { return }
        try orStop { () throws(StorageError) in try commit() }
    }

    private func openTransaction() throws(StorageError) -> OpaquePointer {
        if let open { return open }
        try check(mdb_txn_begin(handle, nil, 0, &open), "cannot begin a group")
        guard let open else { throw StorageError(.failed, "cannot begin a group") }
        return open
    }

    /// The group is complete: the journal takes it, or LMDB commits it with all before it.
    private func seal(_ transaction: OpaquePointer, _ flushed: Bool) throws(StorageError) {
        options.effects?.bytes = Array(state.effects.bytes)
        guard state.effects.count > 0 else { return isUnsettled ? () : dropOpen() }
        guard usesJournal, let journal, journal.takes(state.effects) else { return try commit() }
        try journal.append(
            state.effects, transaction: UInt64(mdb_txn_id(transaction)),
            flushing: flushed && options.durability == .always)
    }

    private func commit() throws(StorageError) {
        guard let open else { return }
        self.open = nil
        state.end()
        try check(mdb_txn_commit(open), "cannot commit to \(directory)")
        journal?.rewind()
    }

    /// The open transaction is abandoned with all its groups.
    func dropOpen() {
        guard let open else { return }
        self.open = nil
        state.end()
        mdb_txn_abort(open)
    }

    /// Does again what the journal holds and LMDB has not committed: after a group that was given up, and at the start.
    func replayJournal() throws(StorageError) {
        guard let journal else { return }
        let transaction = try openTransaction()
        state.begin(collecting: 0)
        try journal.replay(transaction: UInt64(mdb_txn_id(transaction))) { (bytes) throws(StorageError) in
            try Transaction<Writing>(handle: transaction, state: state).replay(bytes)
        }
        if !isUnsettled { dropOpen() }
    }

    /// At the start: what a crash left in the journal is committed.
    func recover() throws(StorageError) {
        try replayJournal()
        try commit()
        guard options.journalBytes == 0 else { return }
        journal?.remove()
        journal = nil
    }
}

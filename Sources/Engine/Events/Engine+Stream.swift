public import MartletProtocol
public import MartletStorage

/// Reading the stream of moves.
extension Engine {
    /// How many moves the stream holds. Kept, never counted.
    public var keptMoves: Int64 { broker.keptMoves }

    /// The last move that was told, be it kept or not.
    public func newestMove(now: Timestamp) -> MovePlace { lastMove(now: now) }

    /// Moves from `from` to `to`, both included, oldest first, at most `count`. Damaged records are passed over.
    public func events<A>(
        from: MovePlace, to: MovePlace, count: Int, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [Event] {
        guard from <= to, count > 0, let start = try startOfMoves(from, transaction) else { return [] }
        var found: [Event] = []
        try transaction.scanRecords(Tables.moves, from: start, prefix: KeyBytes(), damaged: { _ in }) { key, record in
            let group = MoveGroup(key, from: &record)
            guard group.place <= to else { return false }
            for move in events(of: group) where move.place >= from && move.place <= to && found.count < count {
                found.append(move)
            }
            return found.count < count
        }
        return found
    }

    /// The same, newest first.
    public func eventsBackwards<A>(
        from: MovePlace, to: MovePlace, count: Int, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [Event] {
        var found: [Event] = []
        var before = MoveGroup.key(.last)
        while found.count < count, let key = try transaction.last(Tables.moves, before: before, prefix: KeyBytes()) {
            before = key
            let group: MoveGroup?
            do throws(StorageError) {
                group = try transaction.read(Tables.moves, key) { MoveGroup(key, from: &$0) }
            } catch {
                guard error.kind == .damaged else { throw error }
                continue
            }
            guard let group, let last = events(of: group).last, last.place >= from else { break }
            guard group.place <= to else { continue }
            for move in events(of: group).reversed()
            where move.place >= from && move.place <= to && found.count < count {
                found.append(move)
            }
        }
        return found
    }

    /// The key of the record that holds `place`, or of the first one after it.
    private func startOfMoves<A>(
        _ place: MovePlace, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> KeyBytes? {
        var above = MoveGroup.key(place)
        above.append(UInt8(0))
        if let key = try transaction.last(Tables.moves, before: above, prefix: KeyBytes()) { return key }
        return try transaction.first(Tables.moves, from: KeyBytes(), prefix: KeyBytes())?.key
    }
}

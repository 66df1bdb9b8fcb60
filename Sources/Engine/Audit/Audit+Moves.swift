import MartletProtocol
import MartletStorage

/// The stream of moves: what it holds is counted, and no move has a number that is still to be given.
extension Audit {
    mutating func walkMoves<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.moves, transaction, decode: { MoveGroup($0, from: &$1) },
            damaged: { audit, key in
                audit.report(.damagedRecord, "what happened to tasks", .quarantine(Tables.moves, key))
            },
            { audit, _, group in
                audit.moves += Int64(group.moves.count)
                audit.highest.move = max(audit.highest.move, group.lastPlace)
            })
    }
}

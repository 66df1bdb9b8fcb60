import MartletProtocol
import MartletStorage

extension Audit {
    /// Limits and their permits, breakers.
    mutating func walkLimits<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        for (table, what) in [
            (Tables.limits, "a limit"), (Tables.permits, "a permit of a limit"), (Tables.breakers, "a breaker"),
        ] {
            try records(
                table, transaction, decode: { _, _ in },
                damaged: { audit, key in audit.report(.damagedRecord, what, .quarantine(table, key)) },
                { _, _, _ in })
        }
    }
}

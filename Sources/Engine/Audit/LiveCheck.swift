public import MartletProtocol
public import MartletStorage

/// Reads all tables while the broker goes on, on another thread, and says where they disagree.
public enum LiveCheck {
    /// - Parameter reader: of the store, see `TaskStore.sideReader`.
    /// - Throws: what the disk says, or `SideReader.closed` when the store is about to be closed.
    public static func run(_ reader: SideReader, now: Timestamp) throws(StorageError) -> DataCheck.Report {
        try reader.read { (transaction) throws(StorageError) in
            var audit = Audit(now: now) { (_, _) throws(StorageError) in
                if reader.isEnded { throw SideReader.closed }
            }
            try audit.run(transaction)
            var report = DataCheck.Report(found: audit.findings, count: audit.count, left: audit.count)
            report.tasks = try transaction.count(Tables.tasks)
            return report
        }
    }
}

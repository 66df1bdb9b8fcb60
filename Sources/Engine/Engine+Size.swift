public import MartletProtocol
public import MartletStorage

extension Engine {
    /// How many bytes the records of a task take, keys included, without what the trees add.
    public func storedBytes<A>(
        of id: TaskID, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Int {
        guard let sequence = sequence(id) else { return 0 }
        var bytes = try size(Tables.tasks, taskKey(sequence), transaction)
        for phase in Phase.allCases { bytes += try size(Tables.states, phase.key(sequence), transaction) }
        for kind in [BodyKind.payload, .result] { bytes += try size(Tables.bodies, kind.key(sequence), transaction) }
        for table in [Tables.history, Tables.logs] {
            try transaction.scanRecords(table, from: taskKey(sequence), prefix: taskKey(sequence)) { key, record in
                bytes += key.count + record.left
                _ = record.rest()
                return true
            }
        }
        return bytes
    }

    private func size<A>(
        _ table: Table, _ key: KeyBytes, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Int {
        try transaction.read(table, key) { record in key.count + record.left } ?? 0
    }
}

import MartletProtocol
import MartletStorage

extension Audit {
    /// Only parked tasks wait for others, and these know of it.
    mutating func walkDependencies<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        try records(
            Tables.dependencies, transaction, decode: { OpenDependencies(from: &$1) },
            damaged: { audit, key in
                var reader = key.reader
                audit.report(.damagedRecord, "dependencies of a task", .dependencies(reader.next()))
            },
            { (audit, key, dependencies) throws(StorageError) in
                try audit.check(dependencies, key, transaction)
            })
        try entries(Tables.dependents, transaction) { (audit, bytes, _) throws(StorageError) in
            var reader = bytes.reader
            let (other, sequence): (UInt64, UInt64) = (reader.next(), reader.next())
            let open = try audit.whole(of: [other]) { () throws(StorageError) in
                try transaction.read(Tables.dependencies, taskKey(sequence)) { OpenDependencies(from: &$0).open } ?? []
            }
            guard !open.contains(other) else { return }
            audit.report(
                .dependencyDangling, "task \(audit.name(sequence))", .delete(Tables.dependents, bytes))
        }
    }

    private mutating func check<A>(
        _ dependencies: OpenDependencies, _ key: KeyBytes, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        var reader = key.reader
        let sequence: UInt64 = reader.next()
        let known = try known(sequence, transaction)
        // Of a damaged record nothing can be said; it is reported where it is met.
        if known == nil, try exists(sequence, transaction) { return }
        guard let known, known.isWaiting, known.state.lane == .parked else {
            return report(.dependencyDangling, "task \(name(sequence))", .delete(Tables.dependencies, key))
        }
        for other in dependencies.open {
            let edge = dependentKey(other, sequence)
            guard try !transaction.contains(Tables.dependents, edge) else { continue }
            report(.dependencyMissing, "task \(name(sequence))", .entry(Tables.dependents, edge, flags: 0))
        }
    }
}

import MartletProtocol
import MartletStorage

extension Engine {
    /// Limits and the permits that are out.
    mutating func loadLimits(_ transaction: borrowing Transaction<Reading>) throws(StorageError) {
        var loaded: [LimitState] = []
        try transaction.scanRecords(Tables.limits, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            loaded.append(LimitState(number: reader.next(), from: &record))
            return true
        }
        for limit in loaded { limits[limit.number] = limit }
        var permits: [(limit: UInt32, number: Int64, permit: Permit)] = []
        try transaction.scanRecords(Tables.permits, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            permits.append((reader.next(), Int64(bitPattern: reader.next()), Permit(from: &record)))
            return true
        }
        for entry in permits { _ = limits.change(entry.limit) { $0.add(entry.permit, entry.number) } }
    }
}

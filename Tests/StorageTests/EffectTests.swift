import MartletStorage
import Testing

@Suite("A group's effects can be collected")
struct EffectTests {
    @Test("replaying every group's effects gives the same tables")
    func replay() throws {
        let (here, there) = (try TemporaryDirectory(), try TemporaryDirectory())
        let log = EffectLog()
        let original = try openStorage(here, .init(effects: log))
        let copy = try openStorage(there)
        var seed: UInt64 = 11
        for _ in 0..<50 {
            try original.write { (transaction) throws(StorageError) in
                for _ in 0..<20 {
                    seed = StableHash.mix(seed, 3)
                    let key = numberKey(seed % 40)
                    if seed >> 32 & 3 == 0 {
                        try transaction.delete(letters, key)
                    } else {
                        try transaction.put(letters, key) { $0.uint64(seed) }
                    }
                }
            }
            let effects = log.bytes
            try copy.write { (transaction) throws(StorageError) in try transaction.replay(effects) }
        }
        let (left, right) = (try contents(original), try contents(copy))
        #expect(left.count > 10)
        #expect(left == right)
    }

    private func contents(_ storage: Environment) throws -> [[UInt8]: UInt64] {
        var all: [[UInt8]: UInt64] = [:]
        try storage.read { (transaction) throws(StorageError) in
            try transaction.scanRecords(letters, from: KeyBytes(), prefix: KeyBytes()) { key, record in
                all[key.bytes] = record.uint64()
                return true
            }
        }
        return all
    }
}

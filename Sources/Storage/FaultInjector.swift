/// Makes storage calls fail, for tests: the seam through which a full disk or a broken one is planted.
///
/// Counts every put, delete and commit. Not thread-safe: belongs to the environment's owner.
public final class FaultInjector {
    /// The n-th coming call fails (1: the next one); `nil`: none.
    public var failAt: Int?
    /// What it fails with: a code of LMDB or of the operating system.
    public var code: Int32 = 5
    /// How many calls were made.
    public private(set) var calls = 0
    /// How many calls were made to fail.
    public private(set) var failures = 0

    public init() {}

    func next() -> Int32? {
        calls += 1
        guard let left = failAt else { return nil }
        failAt = left > 1 ? left - 1 : nil
        guard left <= 1 else { return nil }
        failures += 1
        return code
    }
}

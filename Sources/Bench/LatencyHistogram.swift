/// Counts latencies in nanoseconds, log-linear: 64 steps to each doubling, so a figure is at most 1.6 % too high.
package struct LatencyHistogram: Sendable {
    private static let stepBits = 6
    private static let steps = 1 << stepBits
    /// Up to 2^40 ns = 18 minutes; longer ones count as that.
    private static let longest: UInt64 = 1 << 40

    private var buckets = [Int](repeating: 0, count: (41 - stepBits) * steps + steps)
    package private(set) var count = 0
    package private(set) var largest: Int64 = 0

    package init() {}

    package mutating func record(_ nanoseconds: Int64) {
        buckets[Self.bucket(UInt64(max(0, nanoseconds)))] += 1
        count += 1
        largest = max(largest, nanoseconds)
    }

    /// The latency that `share` (0…1) of all did not exceed, in nanoseconds; 0 when there are none.
    package func percentile(_ share: Double) -> Int64 {
        let wanted = max(1, Int((Double(count) * share).rounded(.up)))
        var seen = 0
        for (index, entries) in buckets.enumerated() {
            seen += entries
            if seen >= wanted { return min(Self.upperEnd(of: index), largest) }
        }
        return largest
    }

    private static func bucket(_ value: UInt64) -> Int {
        let value = min(value, longest)
        guard value >= UInt64(steps) else { return Int(value) }
        let doubling = 63 - value.leadingZeroBitCount - stepBits
        return (doubling << stepBits) + Int(value >> UInt64(doubling))
    }

    private static func upperEnd(of bucket: Int) -> Int64 {
        guard bucket >= 2 * steps else { return Int64(bucket) }
        let doubling = bucket >> stepBits - 1
        let mantissa = bucket - doubling << stepBits
        return Int64((mantissa + 1) << doubling) - 1
    }
}

import MartletProtocol

/// glibc's: gives free memory back to the system but for `keep` bytes. The Glibc module does not have it.
@_silgen_name("malloc_trim")
private func malloc_trim(_ keep: Int) -> Int32

/// Gives memory back to the system after a peak: the allocator would keep it.
struct MemoryUse {
    /// Peaks below it are not worth the effort, in bytes.
    private static let worthwhile = 16 << 20
    /// What a connection costs, about.
    private static let connection = 8 << 10
    /// How long after the peak.
    private static let delay: Milliseconds = 1_000

    private var peak = 0
    /// When memory is given back; `.max`: there is no need.
    private(set) var trimAt = Timestamp.max

    /// Notes how much clients make the broker hold now.
    mutating func note(bytes: Int, connections: Int, now: Timestamp) {
        let use = bytes + connections * Self.connection
        peak = max(peak, use)
        if trimAt == .max, peak > Self.worthwhile, use < peak / 2 { trimAt = now + Self.delay }
    }

    mutating func trim() {
        (peak, trimAt) = (0, .max)
        _ = malloc_trim(0)
    }
}

extension Broker {
    func noteMemory() {
        memoryUse.note(bytes: totalInbound + totalOutstanding, connections: connections.count, now: clock.now)
        if memoryUse.trimAt < timerAt { rearmTimer() }
    }
}

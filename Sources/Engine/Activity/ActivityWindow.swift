internal import Histogram
import MartletProtocol

/// What happened in a queue lately: counts by time, and how long tasks waited and ran.
struct ActivityWindow {
    /// What rates look back on.
    static let span: Milliseconds = 60_000
    /// One piece of it.
    private static let slot: Milliseconds = 5_000

    private struct Slot {
        var number: Int64
        var counts: ActivityCounts
    }

    private let startedAt: Timestamp
    /// Oldest first; at most `span / slot`.
    private var slots: [Slot] = []
    private(set) var lastActive: Timestamp
    private(set) var waits: Durations
    private(set) var runs: Durations

    init(_ now: Timestamp) {
        (startedAt, lastActive) = (now, now)
        (waits, runs) = (Durations(now), Durations(now))
    }

    mutating func add(_ counts: ActivityCounts, _ now: Timestamp) {
        lastActive = now
        let number = now / Self.slot
        if let last = slots.last, last.number >= number {
            slots[slots.count - 1].counts.add(counts)
        } else {
            slots.append(Slot(number: number, counts: counts))
            if slots.count > Int(Self.span / Self.slot) { slots.removeFirst() }
        }
    }

    mutating func add(_ sample: Activity.Sample, _ now: Timestamp) {
        lastActive = now
        switch sample.kind {
        case .wait: waits.record(sample.span, now)
        case .run: runs.record(sample.span, now)
        }
    }

    /// Per second over the last minute, or since the window began.
    func rates(_ now: Timestamp) -> ActivityRates {
        let first = now / Self.slot - Self.span / Self.slot + 1
        var sum = ActivityCounts()
        for slot in slots where slot.number >= first { sum.add(slot.counts) }
        let seconds = Double(max(now - max(startedAt, first * Self.slot), 1_000)) / 1_000
        return ActivityRates(
            entered: Self.rate(sum.added, seconds), left: Self.rate(sum.completed, seconds),
            failed: Self.rate(sum.failed, seconds))
    }

    private static func rate(_ count: Int64, _ seconds: Double) -> Double {
        (Double(count) / seconds * 1_000).rounded() / 1_000
    }
}

/// What a group did in a queue.
struct ActivityCounts {
    var added: Int64 = 0
    var completed: Int64 = 0
    var failed: Int64 = 0

    var isEmpty: Bool { added <= 0 && completed <= 0 && failed <= 0 }

    mutating func add(_ other: ActivityCounts) {
        added += max(0, other.added)
        completed += max(0, other.completed)
        failed += max(0, other.failed)
    }
}

/// Per second.
struct ActivityRates: Equatable {
    var entered: Double
    var left: Double
    var failed: Double
}

/// Spans of time by percentile: the minute of the clock that is running and the one before, each a histogram of two
/// digits.
struct Durations {
    /// Longer ones count as this: about 24 days.
    static let longest: Milliseconds = 1 << 31
    private typealias Counts = Histogram<UInt32>

    private var minute: Int64
    private var current: Counts?
    private var previous: Counts?

    init(_ now: Timestamp) { minute = now / ActivityWindow.span }

    mutating func record(_ span: Milliseconds, _ now: Timestamp) {
        let minute = now / ActivityWindow.span
        if minute > self.minute {
            previous = minute == self.minute + 1 ? current : nil
            (current, self.minute) = (nil, minute)
        }
        if current == nil { current = Counts(numberOfSignificantValueDigits: .two) }
        current?.record(UInt64(min(max(0, span), Self.longest)))
    }

    /// The 50th and the 99th percentile; `nil`: nothing was recorded lately.
    func percentiles(_ now: Timestamp) -> (half: Milliseconds, most: Milliseconds)? {
        let age = now / ActivityWindow.span - minute
        var all = age <= 1 ? current : nil
        if age <= 0, let previous {
            if all == nil { all = previous } else { all?.add(previous) }
        }
        guard let all, all.totalCount > 0 else { return nil }
        return (Milliseconds(all.valueAtPercentile(50)), Milliseconds(all.valueAtPercentile(99)))
    }
}

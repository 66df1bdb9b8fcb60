import MartletProtocol
import MartletStorage

/// Tokens that come at an even rate and are kept up to a burst. In whole numbers: never more than
/// BURST + RATE·t/PER tokens are given in any window t, and none is lost to rounding.
struct TokenBucket: Equatable {
    /// Tokens that come in `per` milliseconds.
    private(set) var rate: Int64
    private(set) var per: Milliseconds
    /// Tokens it holds at most.
    private(set) var burst: Int64
    /// What it held at `at`, in parts of a token: a token is `per` of them, and `rate` of them come a millisecond.
    private(set) var level: Int64
    private(set) var at: Timestamp

    /// A full one.
    init(rate: Int64, per: Milliseconds, burst: Int64, now: Timestamp) {
        (self.rate, self.per, self.burst, level, at) = (rate, per, burst, burst * per, now)
    }

    private var capacity: Int64 { burst * per }

    /// What it holds, in parts. A clock that went back brings nothing.
    private func level(at now: Timestamp) -> Int64 {
        let (gain, isHuge) = max(0, now - at).multipliedReportingOverflow(by: rate)
        let (sum, isOver) = level.addingReportingOverflow(gain)
        return isHuge || isOver ? capacity : min(capacity, sum)
    }

    /// Whole tokens it holds.
    func available(at now: Timestamp) -> Int64 { level(at: now) / per }

    /// Takes so many tokens, if it has them.
    mutating func take(_ cost: Int64, _ now: Timestamp) -> Bool {
        let held = level(at: now)
        guard cost <= held / per else { return false }
        (level, at) = (held - cost * per, now)
        return true
    }

    /// How long until it has had so many tokens more than were taken; 0: it has them.
    func wait(for tokens: Int64, _ now: Timestamp) -> Milliseconds {
        let (parts, isHuge) = tokens.multipliedReportingOverflow(by: per)
        let missing = (isHuge ? .max : parts) - level(at: now)
        return missing > 0 ? min((missing - 1) / rate + 1, Limits.latestTime) : 0
    }

    /// When it has so many tokens, if nobody takes any; in the past: it has them.
    func instant(for tokens: Int64) -> Timestamp { at + wait(for: tokens, at) }

    /// How long until it is full.
    func waitUntilFull(_ now: Timestamp) -> Milliseconds { wait(for: burst, now) }

    /// From now on at another rate; what it holds stays, as far as there is room.
    mutating func change(rate: Int64, per: Milliseconds, burst: Int64, now: Timestamp) {
        let held = level(at: now)
        let parts = held / self.per * per + held % self.per * per / self.per
        (self.rate, self.per, self.burst) = (rate, per, burst)
        (level, at) = (min(capacity, parts), now)
    }

    mutating func fill(_ now: Timestamp) { (level, at) = (capacity, now) }

    /// `rate i64 │ per i64 │ burst i64 │ level i64 │ at i64`
    func write(to record: inout RecordWriter) {
        for field in [rate, per, burst, level, at] { record.int64(field) }
    }

    init(from record: inout RecordReader) {
        (rate, per, burst) = (record.int64(), record.int64(), record.int64())
        (level, at) = (record.int64(), record.int64())
        let isSound =
            Limits.limitRate.contains(rate) && Limits.limitPer.contains(per) && Limits.limitRate.contains(burst)
        guard isSound, (0...burst * per).contains(level) else {
            record.fail()
            self = TokenBucket(rate: 1, per: 1, burst: 1, now: 0)
            return
        }
    }
}

/// How much of what a bucket allows was taken of late: this PER's tokens, and the part of the one before that a window
/// of one PER still reaches.
struct TokenUse: Equatable {
    private var window: Int64 = 0
    private var current: Int64 = 0
    private var previous: Int64 = 0

    mutating func note(_ tokens: Int64, per: Milliseconds, _ now: Timestamp) {
        let index = now / per
        if index != window { (previous, current) = (index == window + 1 ? current : 0, 0) }
        window = index
        current = min(current + tokens, Limits.latestTime)
    }

    /// From 0 to 1.
    func share(rate: Int64, per: Milliseconds, _ now: Timestamp) -> Double {
        let index = now / per
        let (this, last) =
            index == window ? (current, previous) : index == window + 1 ? (0, current) : (0, 0)
        let left = Double(per - now % per) / Double(per)
        return min(1, (Double(this) + Double(last) * left) / Double(rate))
    }

    /// `window i64 │ current i64 │ previous i64`
    func write(to record: inout RecordWriter) {
        for field in [window, current, previous] { record.int64(field) }
    }

    init() {}

    init(from record: inout RecordReader) {
        (window, current, previous) = (record.int64(), record.int64(), record.int64())
    }
}

import NIOCore

/// How long to wait before connecting again: doubling, capped, half of it random so that many clients do not return
/// as one.
struct ReconnectDelay {
    let base: Duration
    let cap: Duration
    /// Attempts since the broker last answered a command.
    private(set) var attempts = 0

    init(base: Duration, cap: Duration) {
        self.base = base
        self.cap = cap
    }

    mutating func next(using random: inout some RandomNumberGenerator) -> TimeAmount {
        let full = min(TimeAmount(cap).nanoseconds, doubled())
        attempts = min(attempts + 1, 62)
        return .nanoseconds(full / 2 + Int64.random(in: 0...(full / 2), using: &random))
    }

    mutating func reset() { attempts = 0 }

    private func doubled() -> Int64 {
        let (delay, overflow) = TimeAmount(base).nanoseconds.multipliedReportingOverflow(by: 1 << Int64(attempts))
        return overflow || delay < 0 ? .max : delay
    }
}

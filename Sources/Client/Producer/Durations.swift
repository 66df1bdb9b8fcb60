public import MartletProtocol

// Spans as Swift says them; those of the wire are whole milliseconds, so they are rounded down.
extension TaskOptions {
    /// How long a hand-out is held without a sign of life; at least a millisecond, as the next two.
    public mutating func setLease(_ span: Duration) { lease = span.wholeMilliseconds }

    /// How long one attempt may take, however often its lease is extended.
    public mutating func setTimeout(_ span: Duration) { timeout = span.wholeMilliseconds }

    /// How long after its add a task may still begin.
    public mutating func setTimeToLive(_ span: Duration) { timeToLive = span.wholeMilliseconds }

    /// How long the record outlives the end; zero: it goes at the end.
    public mutating func setKeep(_ span: Duration) { keep = span.wholeMilliseconds }
}

extension TaskOptions.Due {
    /// So long after the add.
    public static func after(_ delay: Duration) -> Self { .after(delay.wholeMilliseconds) }
}

extension Backoff {
    /// The n-th retry after min(cap, base · 2^(n−1)).
    public static func exponential(base: Duration, cap: Duration) -> Self {
        .exponential(base: base.wholeMilliseconds, cap: cap.wholeMilliseconds)
    }

    /// The n-th retry after min(cap, step · n).
    public static func linear(step: Duration, cap: Duration) -> Self {
        .linear(step: step.wholeMilliseconds, cap: cap.wholeMilliseconds)
    }

    /// Every retry after the same time.
    public static func fixed(_ delay: Duration) -> Self { .fixed(delay.wholeMilliseconds) }

    /// The n-th retry after the n-th delay, the last one from then on; 1…100 of them.
    public static func list(_ delays: [Duration]) -> Self { .list(delays.map(\.wholeMilliseconds)) }
}

extension QueueOption {
    /// How long a hand-out is held without a sign of life.
    public static func lease(_ span: Duration) -> Self { .lease(span.wholeMilliseconds) }

    /// How long one attempt may take.
    public static func timeout(_ span: Duration) -> Self { .timeout(span.wholeMilliseconds) }

    /// How long after its add a task may still begin.
    public static func timeToLive(_ span: Duration) -> Self { .timeToLive(span.wholeMilliseconds) }

    /// How long the record of an ended task stays.
    public static func keep(_ span: Duration) -> Self { .keep(span.wholeMilliseconds) }

    /// Each time a task has waited so long it counts as one more urgent.
    public static func aging(_ span: Duration) -> Self { .aging(span.wholeMilliseconds) }
}

import NIOCore

/// The soft and the hard limit of one attempt, as alarms on an event loop.
struct LimitAlarms {
    private let soft: Scheduled<Void>?
    private let hard: Scheduled<Void>?

    init(_ limits: TimeLimits, of attempt: Attempt, on loop: any EventLoop) {
        soft = limits.soft.map { limit in loop.scheduleTask(in: TimeAmount(limit)) { attempt.softLimitPassed() } }
        hard = limits.hard.map { limit in
            loop.scheduleTask(in: TimeAmount(limit)) { attempt.interrupt(.hardLimit) }
        }
    }

    func cancel() {
        soft?.cancel()
        hard?.cancel()
    }
}

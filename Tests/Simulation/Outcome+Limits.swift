internal import MartletEngine
internal import MartletProtocol

/// What LIMIT.TAKE tells.
struct TakeSight: Equatable {
    var isLimited: Bool
    var limit: Int64
    var remaining: Int64
    var retryAfter: Milliseconds?
    var reset: Milliseconds
    var permit: Int64?
}

/// What LIMIT.GET tells.
struct LimitSight: Equatable {
    var name: Bytes
    var rate: Int64?
    var per: Milliseconds?
    var burst: Int64?
    var slots: Int64?
    var available: Int64
    var waiting: Int64
    var granted: Int64
    var refused: Int64
    var utilisation: Double
}

/// What BREAKER.GET tells.
struct BreakerSight: Equatable {
    var name: Bytes
    var phase: BreakerPhase
    var settings: BreakerSettings
    var failures: Int64
    var openedAt: Timestamp?
    var retryAt: Timestamp?
}

extension TakeSight {
    init(_ answer: TakeAnswer) {
        self.init(
            isLimited: answer.isLimited, limit: answer.limit, remaining: answer.remaining,
            retryAfter: answer.retryAfter, reset: answer.reset, permit: answer.permit)
    }
}

extension LimitSight {
    init(_ view: LimitView) {
        self.init(
            name: view.name, rate: view.rate, per: view.per, burst: view.burst, slots: view.slots,
            available: view.available, waiting: view.waiting, granted: view.granted, refused: view.refused,
            utilisation: view.utilisation)
    }
}

extension LimitSight {
    func waiting(like other: LimitSight) -> LimitSight {
        var sight = self
        sight.waiting = other.waiting
        return sight
    }
}

extension BreakerSight {
    init(_ view: BreakerView) {
        self.init(
            name: view.name, phase: view.phase, settings: view.settings, failures: view.failures,
            openedAt: view.openedAt, retryAt: view.retryAt)
    }
}

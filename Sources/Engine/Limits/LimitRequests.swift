public import MartletProtocol

/// LIMIT.SET.
public struct LimitSetRequest: Sendable {
    public var name: Bytes
    public var kind: Kind
    public var request: RequestNonce?

    public enum Kind: Hashable, Sendable {
        case tokens(rate: Int64, per: Milliseconds, burst: Int64)
        case slots(Int64)
    }

    public init(name: Bytes, kind: Kind, request: RequestNonce? = nil) {
        (self.name, self.kind, self.request) = (name, kind, request)
    }
}

/// LIMIT.TAKE.
public struct LimitTakeRequest: Sendable {
    public var name: Bytes
    public var cost: Int64
    /// How long slots are held; `nil`: tokens are meant.
    public var hold: Milliseconds?
    public var block: ReserveRequest.Block
    public var request: RequestNonce?
    public var caller: CallerID

    public init(
        name: Bytes, cost: Int64 = 1, hold: Milliseconds? = nil, block: ReserveRequest.Block = .no,
        request: RequestNonce? = nil, caller: CallerID = 0
    ) {
        (self.name, self.cost, self.hold) = (name, cost, hold)
        (self.block, self.request, self.caller) = (block, request, caller)
    }
}

/// LIMIT.GIVE.
public struct LimitGiveRequest: Sendable {
    public var name: Bytes
    public var permit: Int64
    public var request: RequestNonce?

    public init(name: Bytes, permit: Int64, request: RequestNonce? = nil) {
        (self.name, self.permit, self.request) = (name, permit, request)
    }
}

/// LIMIT.DEL, LIMIT.RESET, BREAKER.DEL …: something that has a name.
public struct NameRequest: Sendable {
    public var name: Bytes
    public var request: RequestNonce?

    public init(name: Bytes, request: RequestNonce? = nil) { (self.name, self.request) = (name, request) }
}

/// What LIMIT.TAKE tells.
public struct TakeAnswer: Hashable, Sendable {
    public var isLimited: Bool
    /// The most there can be.
    public var limit: Int64
    public var remaining: Int64
    /// When to come again; `nil`: it was granted.
    public var retryAfter: Milliseconds?
    /// Until all of it is there again.
    public var reset: Milliseconds
    /// A permit is told, be it that there is none.
    public var isOfSlots: Bool
    /// Of slots that were granted.
    public var permit: Int64?

    public init(
        isLimited: Bool, limit: Int64, remaining: Int64, retryAfter: Milliseconds?, reset: Milliseconds,
        isOfSlots: Bool, permit: Int64? = nil
    ) {
        (self.isLimited, self.limit, self.remaining) = (isLimited, limit, remaining)
        (self.retryAfter, self.reset) = (retryAfter, reset)
        (self.isOfSlots, self.permit) = (isOfSlots, permit)
    }
}

/// What LIMIT.GET tells.
public struct LimitView: Hashable, Sendable {
    public var name: Bytes
    public var rate: Int64?
    public var per: Milliseconds?
    public var burst: Int64?
    public var slots: Int64?
    public var available: Int64
    /// Blocked callers, and due tasks that wait for its tokens: those that name it, or whose queue is bound to it.
    public var waiting: Int64
    public var granted: Int64
    public var refused: Int64
    /// Part of what it allows that was taken of late, from 0 to 1.
    public var utilisation: Double

    public init(
        name: Bytes, rate: Int64? = nil, per: Milliseconds? = nil, burst: Int64? = nil, slots: Int64? = nil,
        available: Int64, waiting: Int64, granted: Int64, refused: Int64, utilisation: Double
    ) {
        (self.name, self.rate, self.per, self.burst, self.slots) = (name, rate, per, burst, slots)
        (self.available, self.waiting) = (available, waiting)
        (self.granted, self.refused, self.utilisation) = (granted, refused, utilisation)
    }
}

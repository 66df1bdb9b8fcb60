public import MartletProtocol

/// BREAKER.SET.
public struct BreakerSetRequest: Sendable {
    public var name: Bytes
    public var settings: BreakerSettings
    public var request: RequestNonce?

    public init(name: Bytes, settings: BreakerSettings, request: RequestNonce? = nil) {
        (self.name, self.settings, self.request) = (name, settings, request)
    }
}

/// BREAKER.ALLOW, REPORT, TRIP, RESET and DEL.
public struct BreakerRequest: Sendable {
    public var name: Bytes
    public var verb: Verb
    public var request: RequestNonce?

    public enum Verb: Hashable, Sendable, CaseIterable {
        /// May something be done that may fail?
        case allow
        /// It went well.
        case succeed
        /// It failed.
        case fail
        case trip
        case reset
        case delete
    }

    public init(name: Bytes, verb: Verb, request: RequestNonce? = nil) {
        (self.name, self.verb, self.request) = (name, verb, request)
    }
}

/// What BREAKER.GET tells.
public struct BreakerView: Hashable, Sendable {
    public var name: Bytes
    public var phase: BreakerPhase
    public var settings: BreakerSettings
    /// Failures that count now.
    public var failures: Int64
    /// When it opened; `nil`: it is not open.
    public var openedAt: Timestamp?
    /// When it lets probes through (again); `nil`: it does, or is closed.
    public var retryAt: Timestamp?
}

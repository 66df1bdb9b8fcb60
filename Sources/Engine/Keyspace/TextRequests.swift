public import MartletProtocol

/// SET.
public struct SetTextRequest: Sendable {
    public enum Condition: Hashable, Sendable {
        case always
        case ifAbsent
        case ifPresent
        /// It holds just that.
        case ifEqual(Bytes)
    }

    public var key: Bytes
    public var value: Bytes
    public var life: TextLife
    public var condition = Condition.always
    /// Answer with what the key held before.
    public var givesOld = false

    public init(key: Bytes, value: Bytes, life: TextLife = .forEver) {
        (self.key, self.value, self.life) = (key, value, life)
    }
}

/// How long a key lives.
public enum TextLife: Hashable, Sendable {
    case forEver
    /// As long as it would have lived anyway.
    case asBefore
    case span(Milliseconds)
    case until(Timestamp)

    /// When it ends; `nil`: it does not.
    func end(_ now: Timestamp, before: Timestamp?) -> Timestamp? {
        switch self {
        case .forEver: nil
        case .asBefore: before
        case .span(let span): span > Limits.latestTime - now ? Limits.latestTime : now + span
        case .until(let at): min(at, Limits.latestTime)
        }
    }
}

/// EXPIRE and its family.
public struct ExpireRequest: Sendable {
    public enum Condition: Hashable, Sendable {
        case always
        /// It has no end so far; it has one.
        case ifNone
        case ifSome
        /// The new end is later; earlier. No end is the latest of all.
        case ifLater
        case ifEarlier
    }

    public var key: Bytes
    public var life: TextLife
    public var condition: Condition

    public init(key: Bytes, life: TextLife, condition: Condition = .always) {
        (self.key, self.life, self.condition) = (key, life, condition)
    }
}

/// Where a task is in its life. The raw value is stored; the wire name is `name`.
public enum TaskState: UInt8, CaseIterable, Sendable {
    /// Due later: a delay, a run-at, or back-off.
    case scheduled = 1
    /// Waiting to be handed out.
    case pending = 2
    /// Handed out: a worker holds a lease.
    case active = 3
    /// Acknowledged.
    case completed = 4
    /// Dead letter: attempts spent, or declared dead.
    case dead = 5
    /// Given up on request.
    case cancelled = 6
    /// Its time to live passed.
    case expired = 7
    /// Parked until a condition of its own is met.
    case blocked = 8

    /// The name on the wire.
    public var name: String {
        switch self {
        case .scheduled: "SCHEDULED"
        case .pending: "PENDING"
        case .active: "ACTIVE"
        case .completed: "COMPLETED"
        case .dead: "DLQ"
        case .cancelled: "CANCELLED"
        case .expired: "EXPIRED"
        case .blocked: "BLOCKED"
        }
    }

    /// Whether the task's life is over (it may be revived by hand).
    public var isEnded: Bool {
        switch self {
        case .completed, .dead, .cancelled, .expired: true
        case .scheduled, .pending, .active, .blocked: false
        }
    }
}

/// What can happen to a task. The raw value is stored in history.
public enum TaskEvent: UInt8, CaseIterable, Sendable {
    /// Its due time came.
    case due = 1
    /// A worker took it.
    case handOut = 2
    /// The worker acknowledged it.
    case acknowledge = 3
    /// The attempt failed and another is due later.
    case retryLater = 4
    /// The attempt failed and another is due at once.
    case retryNow = 5
    /// The attempt failed and was the last.
    case exhaust = 6
    /// The worker gave it back, due at once.
    case release = 7
    /// The worker gave it back, due later.
    case releaseLater = 8
    /// Its time to live passed.
    case expire = 9
    /// Somebody gave it up.
    case cancel = 10
    /// Somebody asked for it again.
    case revive = 11
    /// Somebody moved it: it is due at once.
    case moveNow = 12
    /// Somebody moved it: it is due later.
    case moveLater = 13
    /// The condition it was parked for is met: it is due at once.
    case unblock = 14
    /// The condition it was parked for is met: it is due later.
    case unblockLater = 15
    /// A condition it must wait for is not met any more.
    case block = 16
}

extension TaskState {
    /// The whole life cycle. A pair that is not here does not happen: `nil`.
    public func after(_ event: TaskEvent) -> TaskState? {
        switch (self, event) {
        case (.scheduled, .due): .pending
        case (.scheduled, .handOut), (.pending, .handOut): .active
        case (.active, .acknowledge): .completed
        case (.active, .retryLater), (.active, .releaseLater): .scheduled
        case (.active, .retryNow), (.active, .release): .pending
        case (.active, .exhaust): .dead
        case (.active, .expire), (.pending, .expire), (.scheduled, .expire), (.blocked, .expire): .expired
        case (.active, .cancel), (.pending, .cancel), (.scheduled, .cancel), (.blocked, .cancel): .cancelled
        case (.dead, .revive), (.cancelled, .revive), (.expired, .revive), (.completed, .revive),
            (.scheduled, .revive):
            .pending
        case (.scheduled, .moveNow), (.pending, .moveNow): .pending
        case (.scheduled, .moveLater), (.pending, .moveLater): .scheduled
        case (.blocked, .moveNow), (.blocked, .moveLater): .blocked
        case (.blocked, .unblock): .pending
        case (.blocked, .unblockLater): .scheduled
        case (.pending, .block), (.scheduled, .block): .blocked
        default: nil
        }
    }
}

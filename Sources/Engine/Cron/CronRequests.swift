public import MartletProtocol

/// CRON.SET.
public struct CronSetRequest: Sendable {
    /// When it runs.
    public enum Schedule: Hashable, Sendable {
        /// A crontab line.
        case spec(Bytes)
        /// Every so often, counted from when it was set. At least 100 ms.
        case every(Milliseconds)
    }

    public var name: Bytes
    public var queue: Bytes
    public var type: Bytes
    public var payload: Bytes
    public var schedule: Schedule
    /// The name of the zone a crontab line is read in.
    public var zone: Bytes
    public var overlap: CronOverlap
    public var catchup: CronCatchup
    public var options: TaskOptions
    public var request: RequestNonce?

    public init(
        name: Bytes, queue: Bytes, type: Bytes, payload: Bytes, schedule: Schedule, zone: Bytes = Bytes("UTC".utf8),
        overlap: CronOverlap = .allow, catchup: CronCatchup = .one, options: TaskOptions = .init(),
        request: RequestNonce? = nil
    ) {
        (self.name, self.queue, self.type, self.payload) = (name, queue, type, payload)
        (self.schedule, self.zone, self.overlap, self.catchup) = (schedule, zone, overlap, catchup)
        (self.options, self.request) = (options, request)
    }
}

/// What happens when a run is due while the task of the last one has not ended. The raw value is stored.
public enum CronOverlap: UInt8, Sendable, CaseIterable {
    case allow = 0
    /// The run is left out.
    case skip = 1
}

/// What happens to runs that were missed while the broker was down. The raw value is stored.
public enum CronCatchup: UInt8, Sendable, CaseIterable {
    /// They are left out.
    case none = 0
    /// However many they were, one runs.
    case one = 1
    case all = 2
}

/// CRON.DEL, CRON.PAUSE, CRON.RESUME, CRON.RUN.
public struct CronRequest: Sendable {
    public enum Action: Hashable, Sendable { case delete, pause, resume, run }

    public var name: Bytes
    public var action: Action
    public var request: RequestNonce?

    public init(name: Bytes, action: Action, request: RequestNonce? = nil) {
        (self.name, self.action, self.request) = (name, action, request)
    }
}

/// What CRON.GET tells.
public struct CronView: Hashable, Sendable {
    public var name: Bytes
    public var queue: Bytes
    public var type: Bytes
    public var schedule: CronSetRequest.Schedule
    public var zone: Bytes
    public var overlap: CronOverlap
    public var catchup: CronCatchup
    public var isPaused: Bool
    /// `nil`: never again, or paused.
    public var nextRun: Timestamp?
    /// How often it ran, ever.
    public var runs: Int64
    /// The newest runs, oldest first.
    public var history: [Run]

    public init(
        name: Bytes, queue: Bytes, type: Bytes, schedule: CronSetRequest.Schedule, zone: Bytes, overlap: CronOverlap,
        catchup: CronCatchup, isPaused: Bool, nextRun: Timestamp?, runs: Int64, history: [Run]
    ) {
        (self.name, self.queue, self.type, self.schedule, self.zone) = (name, queue, type, schedule, zone)
        (self.overlap, self.catchup, self.isPaused, self.nextRun) = (overlap, catchup, isPaused, nextRun)
        (self.runs, self.history) = (runs, history)
    }

    /// One run: when it was due, and the task it made.
    public struct Run: Hashable, Sendable {
        public var at: Timestamp
        public var id: TaskID

        public init(at: Timestamp, id: TaskID) { (self.at, self.id) = (at, id) }
    }
}

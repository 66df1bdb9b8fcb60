public import MartletProtocol

/// When a cron entry adds its task.
public enum CronSchedule: Hashable, Sendable {
    /// Minute, hour, day of month, month, day of week, as in a crontab (`30 7 * * MON-FRI`), by the clocks of a time
    /// zone such as `Europe/Berlin`.
    case spec(String, zone: String = "UTC")
    /// Again and again after so long, at least 100 ms.
    case every(Duration)
}

/// What becomes of a run while the task of the one before has not ended.
public enum CronOverlap: String, Sendable {
    /// It is left out.
    case skip = "SKIP"
    case allow = "ALLOW"
}

/// What becomes of the runs that were due while the broker was down.
public enum CronCatchUp: String, Sendable {
    case none = "NONE"
    /// One run for all of them.
    case one = "ONE"
    case all = "ALL"
}

/// One run of a cron entry.
public struct CronRun: Hashable, Sendable {
    /// When it was due, in Unix milliseconds.
    public var at: Timestamp
    /// The task it added.
    public var id: TaskID
}

/// What the broker knows about a cron entry (`CRON.GET`).
public struct CronDetails: Sendable {
    /// The entry's name, 1–256 bytes.
    public var name: String
    /// Where its tasks go.
    public var queue: String
    /// What kind of tasks they are.
    public var type: String
    /// When they are added.
    public var schedule: CronSchedule
    /// What happens while the task of the run before has not ended.
    public var overlap: CronOverlap
    /// What becomes of runs that were due while the broker was down.
    public var catchUp: CronCatchUp
    /// Nothing is added until it is resumed.
    public var isPaused: Bool
    /// When it ran last, in Unix milliseconds; `nil`: never.
    public var lastRun: Timestamp?
    /// The task that run added.
    public var lastID: TaskID?
    /// `nil`: none, it is paused.
    public var nextRun: Timestamp?
    /// How often it has run.
    public var runs: Int
    /// Its newest runs, at most 50, the oldest first; `nil`: not asked for.
    public var history: [CronRun]?

    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        name = try fields.text("name")
        queue = try fields.text("queue")
        type = try fields.text("type")
        schedule = try Self.schedule(fields)
        guard let overlap = CronOverlap(rawValue: try fields.text("overlap")) else {
            throw ReplyFields.wrong("overlap")
        }
        guard let catchUp = CronCatchUp(rawValue: try fields.text("catchup")) else {
            throw ReplyFields.wrong("catchup")
        }
        (self.overlap, self.catchUp) = (overlap, catchUp)
        isPaused = try fields.flag("paused")
        lastRun = fields.optional("last_run")?.integer
        lastID = fields.optional("last_id")?.bytes.flatMap { TaskID($0) }
        nextRun = fields.optional("next_run")?.integer
        runs = try fields.count("runs")
        history = try Self.history(fields.optional("history"))
    }

    private static func history(_ value: RESPValue?) throws(MartletError) -> [CronRun]? {
        guard let elements = value?.elements else { return nil }
        var runs: [CronRun] = []
        for run in elements {
            let fields = ReplyFields(run)
            runs.append(CronRun(at: try fields.integer("at"), id: try fields.id("id")))
        }
        return runs
    }

    private static func schedule(_ fields: ReplyFields) throws(MartletError) -> CronSchedule {
        if let every = fields.optional("every")?.integer { return .every(.milliseconds(every)) }
        return .spec(try fields.text("spec"), zone: try fields.text("tz"))
    }
}

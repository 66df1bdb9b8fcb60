public import MartletProtocol

// Tasks that the clock adds.
extension MartletClient {
    /// Has the broker add a task whenever `schedule` says so, exactly once each time.
    ///
    /// An entry of that name is changed; one that is as asked for stays as it is, so every process of an application
    /// may say this at its start.
    ///
    /// - Parameters:
    ///   - name: the entry's, 1–256 bytes.
    ///   - schedule: a crontab line in a time zone, or a span.
    ///   - payload: what the handler of each task gets.
    ///   - definition: what kind of task it is.
    ///   - queue: instead of the definition's.
    ///   - options: of each task; `due` may put it off, but is no point in time.
    ///   - overlap: whether a task is added while that of the last run has not ended.
    ///   - catchUp: which of the runs that a stopped broker missed are made up for.
    public func setCron<Definition: TaskDefinition>(
        _ name: String, schedule: CronSchedule, _ payload: Definition.Payload, as definition: Definition.Type,
        queue: String? = nil, options: TaskOptions = .init(), overlap: CronOverlap = .allow,
        catchUp: CronCatchUp = .one
    ) async throws(MartletError) {
        try await setCron(
            name, schedule: schedule, bytes: try JSON.encode(payload), type: Definition.type,
            queue: queue ?? Definition.queue, options: options, overlap: overlap, catchUp: catchUp)
    }

    /// The same with a payload that is any bytes.
    public func setCron(
        _ name: String, schedule: CronSchedule, bytes payload: Bytes, type: String, queue: String,
        options: TaskOptions = .init(), overlap: CronOverlap = .allow, catchUp: CronCatchUp = .one
    ) async throws(MartletError) {
        var command = RESPCommand("CRON.SET", .text(name), .text(queue), .text(type), .bytes(payload))
        switch schedule {
        case .spec(let line, let zone):
            command.append("SPEC", .text(line))
            command.append("TZ", .text(zone))
        case .every(let span): command.append("EVERY", .integer(span.wholeMilliseconds))
        }
        command.append("OVERLAP", .text(overlap.rawValue))
        command.append("CATCHUP", .text(catchUp.rawValue))
        command.append(options)
        _ = try await link.send(command.withNonce())
    }

    /// All cron entries.
    public func crons() async throws(MartletError) -> [CronDetails] {
        var entries: [CronDetails] = []
        for entry in try await link.send(RESPCommand("CRON.LIST")).elements ?? [] {
            entries.append(try CronDetails(entry))
        }
        return entries
    }

    /// One entry, with its newest runs if asked for; `refused` when there is none of that name, here and below.
    public func cron(_ name: String, history: Bool = false) async throws(MartletError) -> CronDetails {
        var command = RESPCommand("CRON.GET", .text(name))
        if history { command.append(.text("HISTORY")) }
        return try CronDetails(try await link.send(command))
    }

    /// The next runs, at most 1,000, if nothing is paused or changed.
    public func nextRuns(ofCron name: String, _ count: Int = 10) async throws(MartletError) -> [Timestamp] {
        let reply = try await link.send(RESPCommand("CRON.NEXT", .text(name), .integer(Int64(count))))
        guard let times = reply.elements else { throw .decoding("not a list of times") }
        return times.compactMap(\.integer)
    }

    /// Adds an entry's task now, whatever its schedule says; returns the task's id.
    @discardableResult
    public func runCron(_ name: String) async throws(MartletError) -> TaskID {
        try Self.id(try await link.send(RESPCommand("CRON.RUN", .text(name)).withNonce()))
    }

    /// Lets an entry rest until `resumeCron`.
    public func pauseCron(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("CRON.PAUSE", .text(name)).withNonce())
    }

    /// Ends a pause; what it missed is not made up for.
    public func resumeCron(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("CRON.RESUME", .text(name)).withNonce())
    }

    /// Removes an entry; the tasks it added stay.
    public func deleteCron(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("CRON.DEL", .text(name)).withNonce())
    }
}

import MartletProtocol
import MartletStorage

/// What is said of the cron table.
extension Engine {
    mutating func setCron(
        _ request: CronSetRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        if let refusal = refusal(of: request) { return .refused(refusal) }
        // What was due under the old schedule comes first.
        try runCrons(by: now, limit: Self.cronsAtOnce, transaction)
        let before = crons[request.name]
        var entry = CronEntry(number: before?.number ?? crons.lastNumber + 1, request, anchor: now)
        if let before {
            (entry.runs, entry.history, entry.isPaused) = (before.runs, before.history, before.isPaused)
            // Whoever sets it to what it is, as programs do when they start, does not put its next run off.
            if before.schedule == entry.schedule { entry.anchor = before.anchor }
        }
        if let before, before.schedule == entry.schedule, before.zone == entry.zone, let next = before.nextRun {
            entry.nextRun = next
        } else {
            entry.nextRun = next(of: entry, after: now)
        }
        try storeBody(request.payload, .cron, of: entry.number, transaction)
        try store(entry, transaction)
        return remember(request.request, .ok)
    }

    private func refusal(of request: CronSetRequest) -> CommandError? {
        if crons[request.name] == nil, crons.count >= Limits.crons {
            return CommandError(.error, "there are \(Limits.crons) cron entries already; delete some with CRON.DEL")
        }
        if request.payload.count > Limits.payload {
            return CommandError(.tooBig, "payload of \(request.payload.count) bytes; the limit is \(Limits.payload)")
        }
        if let refusal = refusal(of: request.options.limits) { return refusal }
        guard zones[request.zone] != nil else {
            let name = String(decoding: request.zone, as: UTF8.self)
            return CommandError(
                .error, "no such time zone '\(name)'; zones are named as in the tz database: Europe/Berlin")
        }
        guard case .spec(let text) = request.schedule else { return nil }
        do throws(CommandError) {
            _ = try CronSpec(text)
            return nil
        } catch {
            return error
        }
    }

    mutating func cron(
        _ request: CronRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        try runCrons(by: now, limit: Self.cronsAtOnce, transaction)
        guard var entry = crons[request.name] else { return .refused(Self.noCron(request.name)) }
        switch request.action {
        case .delete:
            undoLog.changes.append(.cron(entry.name, entry))
            crons[entry.name] = nil
            try transaction.delete(Tables.crons, CronEntry.key(entry.number))
            try transaction.delete(Tables.bodies, BodyKind.cron.key(entry.number))
        case .pause:
            entry.isPaused = true
            try store(entry, transaction)
        case .resume where entry.isPaused:
            entry.isPaused = false
            entry.nextRun = next(of: entry, after: now)
            try store(entry, transaction)
        case .resume: break
        case .run:
            switch try run(&entry, at: now, now, transaction) {
            case .refused(let refusal): return .refused(refusal)
            case .added(let sequence):
                try store(entry, transaction)
                return remember(request.request, .id(sequence))
            }
        }
        return remember(request.request, .ok)
    }

    static func noCron(_ name: Bytes) -> CommandError {
        CommandError(.error, "no such cron entry '\(String(decoding: name, as: UTF8.self))'")
    }

    mutating func store(
        _ entry: CronEntry, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        undoLog.changes.append(.cron(entry.name, crons[entry.name]))
        crons[entry.name] = entry
        try transaction.put(Tables.crons, CronEntry.key(entry.number)) { entry.write(to: &$0) }
    }

    /// The first run of `entry` after `time`.
    func next(of entry: CronEntry, after time: Timestamp) -> Timestamp? {
        switch entry.schedule {
        case .every(let span):
            let (steps, start) = ((max(time, entry.anchor) - entry.anchor) / span + 1, entry.anchor)
            let (ahead, overflow) = steps.multipliedReportingOverflow(by: span)
            return overflow || ahead > Limits.latestTime - start ? nil : start + ahead
        case .spec(let text):
            guard let zone = zones[entry.zone] else { return nil }
            do throws(CommandError) {
                return try CronSpec(text).next(after: time, in: zone)
            } catch {
                return nil
            }
        }
    }

    // MARK: Looking

    func cronView(_ name: Bytes, history: Bool) -> Answer {
        crons[name].map { .cron(view($0), history: history) } ?? .refused(Self.noCron(name))
    }

    func cronList() -> Answer { .crons(crons.ordered.map(view)) }

    /// The next `count` runs, whether it is paused or not.
    func cronTimes(_ name: Bytes, count: Int, _ now: Timestamp) -> Answer {
        guard let entry = crons[name] else { return .refused(Self.noCron(name)) }
        var times: [Timestamp] = []
        var time = now
        while times.count < count, let next = next(of: entry, after: time) {
            times.append(next)
            time = next
        }
        return .times(times)
    }

    private func view(_ entry: CronEntry) -> CronView {
        CronView(
            name: entry.name, queue: entry.queue, type: entry.type, schedule: entry.schedule, zone: entry.zone,
            overlap: entry.overlap, catchup: entry.catchup, isPaused: entry.isPaused,
            nextRun: entry.isPaused ? nil : entry.nextRun, runs: entry.runs,
            history: entry.history.map { .init(at: $0.at, id: broker.id($0.sequence)) })
    }
}

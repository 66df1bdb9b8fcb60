internal import MartletEngine
internal import MartletProtocol

/// An entry of the cron table, as naive as can be.
struct ModelCron {
    var view: CronView
    var options: TaskOptions
    var payload: Bytes
    var anchor: Timestamp
    /// Counted on while it is paused.
    var next: Timestamp

    /// The first run after `time`, by steps. Crontab lines here are `*/n * * * *`.
    func next(after time: Timestamp) -> Timestamp {
        switch view.schedule {
        case .every(let span):
            var run = anchor + span
            while run <= time { run += span }
            return run
        case .spec(let text):
            let minutes = Int64(String(decoding: text.dropFirst(2).prefix { $0 != 32 }, as: UTF8.self)) ?? 1
            var run = time / 60_000 * 60_000 + 60_000
            while run / 60_000 % 60 % minutes != 0 { run += 60_000 }
            return run
        }
    }
}

extension Model {
    mutating func setCron(_ request: CronSetRequest, _ now: Timestamp) -> Outcome {
        let before = crons[request.name]
        let isSame = before?.view.schedule == request.schedule
        var entry = ModelCron(
            view: CronView(
                name: request.name, queue: request.queue, type: request.type, schedule: request.schedule,
                zone: request.zone, overlap: request.overlap, catchup: request.catchup,
                isPaused: before?.view.isPaused ?? false, nextRun: nil, runs: before?.view.runs ?? 0,
                history: before?.view.history ?? []),
            options: request.options, payload: request.payload, anchor: isSame ? before?.anchor ?? now : now, next: 0)
        entry.next = isSame ? before?.next ?? 0 : entry.next(after: now)
        keep(entry)
        if before == nil { cronNames.append(request.name) }
        return .ok
    }

    mutating func cron(_ request: CronRequest, _ now: Timestamp, _ answer: Answer) -> Outcome {
        guard var entry = crons[request.name] else { return .refused(.error) }
        switch request.action {
        case .delete:
            crons[request.name] = nil
            cronNames.removeAll { $0 == request.name }
            return .ok
        case .pause: entry.view.isPaused = true
        case .resume:
            if entry.view.isPaused { entry.next = entry.next(after: now) }
            entry.view.isPaused = false
        case .run:
            if let refusal = isClosed(entry.view.queue, now) { return refusal }
            if options[entry.view.queue]?.maxLength != nil, case .refused(let refusal) = answer {
                return .refused(refusal.code == .queueFull ? .queueFull : .error)
            }
            guard case .id(let id) = answer else { return .id(TaskID(sequence: 0, check: 0)) }
            run(&entry, at: now, id, now)
            keep(entry)
            return .id(id)
        }
        keep(entry)
        return .ok
    }

    func cronView(_ name: Bytes) -> Outcome { crons[name].map { .crons([$0.view]) } ?? .refused(.error) }

    var cronList: Outcome { .crons(cronNames.compactMap { crons[$0]?.view }) }

    /// The engine let crons run; which of them, is seen in its table. Each must be one that was due, and none that was
    /// due may be passed over.
    mutating func observeCrons(_ views: [CronView], _ now: Timestamp, apartFrom answer: Answer) {
        var manual: TaskID?
        if case .id(let id) = answer { manual = id }
        var runs: [(id: TaskID, name: Bytes, at: Timestamp)] = []
        for view in views {
            guard let entry = crons[view.name], !entry.view.isPaused else { continue }
            let new = view.history.suffix(Int(view.runs - entry.view.runs)).filter { $0.id != manual }
            runs += new.map { ($0.id, view.name, $0.at) }
        }
        settle(now)
        for run in runs.sorted(by: { $0.id < $1.id }) { catchUp(run.name, now, with: run) }
        for view in views where !view.isPaused {
            while let entry = crons[view.name], !entry.view.isPaused, let next = view.nextRun, entry.next < next,
                entry.next <= now
            {
                catchUp(view.name, now, with: nil)
            }
        }
    }

    /// Steps through what is due up to a run that was seen, or by one step if none is.
    private mutating func catchUp(_ name: Bytes, _ now: Timestamp, with seen: (id: TaskID, name: Bytes, at: Timestamp)?)
    {
        while var entry = crons[name], entry.next <= now {
            var at = entry.next
            if entry.view.catchup != .all { while entry.next(after: at) <= now { at = entry.next(after: at) } }
            entry.next = entry.next(after: at)
            let runs = mayRun(entry, at, now)
            // Whether a queue with MAXLEN was full just then, or draining, is the engine's business.
            let mayBeFull = bounded.contains(entry.view.queue)
            if runs, let seen, seen.at == at || !mayBeFull {
                if seen.at != at { complaints.append("cron \(readable(name)): run of \(seen.at), expected \(at)") }
                run(&entry, at: at, seen.id, now)
                return keep(entry)
            }
            if runs, !mayBeFull { complaints.append("cron \(readable(name)): the run of \(at) was left out at \(now)") }
            keep(entry)
            if seen == nil { return }
        }
        if let seen { complaints.append("cron \(readable(name)) ran for \(seen.at) at \(now), which was not due") }
    }

    private func mayRun(_ entry: ModelCron, _ at: Timestamp, _ now: Timestamp) -> Bool {
        if entry.view.catchup == .none, now - at > 1_000 { return false }
        if isClosed(entry.view.queue, now) != nil { return false }
        guard entry.view.overlap == .skip, let last = entry.view.history.last else { return true }
        return tasks[last.id]?.state.isEnded ?? true
    }

    private mutating func run(_ entry: inout ModelCron, at: Timestamp, _ id: TaskID, _ now: Timestamp) {
        let add = AddRequest(
            queue: entry.view.queue, type: entry.view.type, payload: entry.payload, options: entry.options)
        _ = insert(add, id, now)
        entry.view.runs += 1
        entry.view.history.append(.init(at: at, id: id))
        if entry.view.history.count > 50 { entry.view.history.removeFirst() }
    }

    private mutating func keep(_ entry: ModelCron) {
        var entry = entry
        entry.view.nextRun = entry.view.isPaused ? nil : entry.next
        crons[entry.view.name] = entry
    }
}

internal import MartletEngine
internal import MartletProtocol

/// A caller that waits for the end of tasks.
struct WaitingWatch {
    var caller: CallerID
    var names: [Bytes]
    /// `nil`: for ever.
    var deadline: Timestamp?
    var pending: Set<TaskID>
    /// How those ended that are gone.
    var gone: [TaskID: Waited] = [:]
}

/// TASK.WAIT, TASK.LOG and TASK.LOGS.
extension Model {
    mutating func wait(_ request: WaitRequest, _ now: Timestamp) -> Outcome {
        let pending = request.ids.compactMap(TaskID.init).filter { tasks[$0].map { !$0.state.isEnded } ?? false }
        guard !pending.isEmpty, case .upTo(let span) = request.block else { return endings(request.ids, [:], now) }
        watches.append(
            WaitingWatch(
                caller: request.caller, names: request.ids, deadline: span == 0 ? nil : now + span,
                pending: Set(pending)))
        return .blocked
    }

    private func endings(_ names: [Bytes], _ gone: [TaskID: Waited], _ now: Timestamp) -> Outcome {
        .waited(
            names.map { name in
                guard let id = TaskID(name) else { return Waited(name: name) }
                var ending = gone[id] ?? tasks[id].map(Waited.init) ?? Waited(name: name)
                if gone[id] == nil, let state = shown(id, now) { ending.state = state }
                ending.name = name
                return ending
            })
    }

    /// A task ended.
    mutating func tellWatches(of id: TaskID) {
        for index in watches.indices { watches[index].pending.remove(id) }
    }

    /// All that is known of a task goes, but those who wait for it remember.
    mutating func tellWatches(removing id: TaskID) {
        guard let task = tasks[id] else { return }
        for index in watches.indices where watches[index].names.contains(where: { TaskID($0) == id }) {
            watches[index].pending.remove(id)
            watches[index].gone[id] = task.state.isEnded ? Waited(task) : Waited(name: [])
        }
    }

    /// Answers those whose tasks have all ended, and those whose time is up.
    mutating func serveWatches(_ now: Timestamp) -> [CallerID: Outcome] {
        var outcomes: [CallerID: Outcome] = [:]
        for watch in watches where watch.pending.isEmpty || watch.deadline.map({ $0 <= now }) ?? false {
            outcomes[watch.caller] = endings(watch.names, watch.gone, now)
        }
        watches.removeAll { outcomes[$0.caller] != nil }
        return outcomes
    }

    mutating func log(_ request: LogRequest, _ now: Timestamp) -> Outcome {
        guard let id = request.id, let task = tasks[id] else { return .refused(.noTask) }
        guard task.hold?.token == request.token else { return .refused(.leaseLost) }
        tasks[id]?.log += request.lines.map { Line(at: now, attempt: task.attempt, line: $0) }
        return .ok
    }

    func logs(_ request: LogsRequest) -> Outcome {
        guard let id = request.id, let task = tasks[id] else { return .refused(.noTask) }
        var found: [Line] = []
        for (index, line) in task.log.enumerated() where UInt64(index + 1) >= request.cursor {
            if found.count == request.count { return .logLines(UInt64(index + 1), found) }
            if request.attempt.map({ $0 == line.attempt }) ?? true { found.append(line) }
        }
        return .logLines(0, found)
    }
}

extension Waited {
    fileprivate init(_ task: ModelTask) {
        self.init(
            name: [], state: task.state, result: task.state.isEnded ? task.result : nil,
            error: task.state == .completed ? nil : task.lastError)
    }
}

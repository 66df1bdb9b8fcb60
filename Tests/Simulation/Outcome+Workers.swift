internal import MartletEngine
internal import MartletProtocol

/// What TASK.WAIT tells of one task.
struct Waited: Equatable {
    var name: Bytes
    var state: TaskState?
    var result: Bytes?
    var error: Bytes?
}

/// A line of a task's log.
struct Line: Equatable {
    var at: Timestamp
    var attempt: Int64
    var line: Bytes
}

/// What BEAT tells.
struct Beat: Equatable {
    var order: WorkerOrder
    var cancel: [TaskID]
    var lost: [TaskID]
}

/// What WORKER.INFO tells.
struct WorkerSight: Equatable {
    var name: Bytes
    var hello: HelloSight
    var state: String
    var busy: Int64
    var residentBytes: Int64?
    var lastBeat: Timestamp
    var counts: ModelWorker.Counts
    var uncertain: Int64 = 0
    var tasks: [TaskID]
}

extension Waited {
    init(_ task: WaitedTask) {
        self.init(name: task.name, state: task.state, result: task.result, error: task.error)
    }

    /// The engine's own words are compared with nothing.
    func comparable(to expected: Waited) -> Waited {
        var waited = self
        if expected.error == Report.ownWords, error != nil { waited.error = expected.error }
        return waited
    }
}

extension Line {
    init(_ line: TaskLogLine) { self.init(at: line.at, attempt: line.attempt, line: line.line) }
}

extension Beat {
    init(_ beat: BeatAnswer) { self.init(order: beat.order, cancel: beat.cancel, lost: beat.lost) }
}

extension WorkerSight {
    /// As `expected` where it may be otherwise.
    func comparable(to expected: WorkerSight) -> WorkerSight {
        var sight = self
        sight.uncertain = expected.uncertain
        let range = expected.counts.failed...expected.counts.failed + max(0, expected.uncertain)
        if range.contains(counts.failed) { sight.counts.failed = expected.counts.failed }
        return sight
    }

    init(_ view: WorkerView) {
        self.init(
            name: view.name,
            hello: HelloSight(
                host: view.host, process: view.process, slots: view.slots, queues: view.queues,
                library: view.library, libraryVersion: view.libraryVersion),
            state: view.state, busy: view.busy, residentBytes: view.residentBytes, lastBeat: view.lastBeat,
            counts: .init(started: view.started, completed: view.completed, failed: view.failed), tasks: view.tasks)
    }
}

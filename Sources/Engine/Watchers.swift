import MartletProtocol

/// A blocked TASK.WAIT.
struct Watcher {
    var request: WaitRequest
    /// Rises with every blocked call: who came first is served first.
    var number: UInt64
    /// When it gives up; `nil`: never.
    var until: Timestamp?
    /// All that are known.
    var tasks: Set<UInt64>
    /// Those that have not ended.
    var pending: Set<UInt64>
    /// How those ended whose record is gone.
    var gone: [UInt64: WaitedTask] = [:]
}

/// Those who wait for the end of tasks. In memory.
struct Watchers {
    private var watchers: [CallerID: Watcher] = [:]
    private var byTask: [UInt64: Set<CallerID>] = [:]
    private var deadlines = Deadlines()
    /// Whose tasks have all ended.
    private var ready: Set<CallerID> = []
    private var lastNumber: UInt64 = 0
    /// Bytes of results in `gone`.
    private(set) var resultBytes = 0

    var isEmpty: Bool { watchers.isEmpty }
    var callers: [CallerID] { watchers.values.sorted { $0.number < $1.number }.map(\.request.caller) }
    var nextDeadline: Timestamp? { deadlines.first?.at }

    subscript(caller: CallerID) -> Watcher? { watchers[caller] }

    /// Who waits for a task, in the order in which they came.
    func callers(of sequence: UInt64) -> [CallerID] {
        (byTask[sequence] ?? []).sorted { watchers[$0]?.number ?? 0 < watchers[$1]?.number ?? 0 }
    }

    mutating func enter(_ request: WaitRequest, until: Timestamp?, tasks: Set<UInt64>, pending: Set<UInt64>) {
        lastNumber += 1
        insert(Watcher(request: request, number: lastNumber, until: until, tasks: tasks, pending: pending))
    }

    /// Puts a watcher (back), in place of the one of the same caller.
    mutating func insert(_ watcher: Watcher) {
        let caller = watcher.request.caller
        remove(caller)
        watchers[caller] = watcher
        for sequence in watcher.tasks { byTask[sequence, default: []].insert(caller) }
        if let until = watcher.until { deadlines.insert(.init(at: until, id: caller)) }
        if watcher.pending.isEmpty { ready.insert(caller) }
        resultBytes += Self.bytes(watcher)
    }

    mutating func remove(_ caller: CallerID) {
        guard let watcher = watchers.removeValue(forKey: caller) else { return }
        for sequence in watcher.tasks {
            byTask[sequence]?.remove(caller)
            if byTask[sequence]?.isEmpty == true { byTask[sequence] = nil }
        }
        if let until = watcher.until { deadlines.remove(.init(at: until, id: caller)) }
        ready.remove(caller)
        resultBytes -= Self.bytes(watcher)
    }

    /// The first whose tasks have all ended, or whose time is up.
    func first(by now: Timestamp) -> CallerID? {
        if let first = ready.min(by: { watchers[$0]?.number ?? 0 < watchers[$1]?.number ?? 0 }) { return first }
        return deadlines.first.flatMap { $0.at <= now ? $0.id : nil }
    }

    private static func bytes(_ watcher: Watcher) -> Int {
        watcher.gone.values.reduce(0) { $0 + ($1.result?.count ?? 0) }
    }
}

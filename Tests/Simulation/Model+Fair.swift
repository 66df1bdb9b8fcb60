internal import MartletEngine
internal import MartletProtocol

/// A group of a queue within a priority, and of it the tasks that need the same limits.
struct Ring: Hashable {
    var queue: Bytes
    var priority: Int
    var group: Bytes?
    var limits: [Bytes]

    init(_ task: ModelTask) {
        (queue, priority, group, limits) = (task.queue, task.priority, task.group, task.limits.map(\.name))
    }
}

/// A place in the round.
struct Turn: Comparable {
    var at: Timestamp
    /// Zero for a task that is due, the token of a hand-out behind all of those.
    var token: Int64 = 0
    var id: UInt64 = 0

    static func < (left: Turn, right: Turn) -> Bool {
        (left.at, left.token, left.id) < (right.at, right.token, right.id)
    }
}

/// FAIR: groups take turns within a priority.
extension Model {
    /// The next task of a queue whose groups take turns: the priority whose oldest task has risen highest, if a group
    /// of it has a slot and its tokens; then the group whose turn it is.
    func nextInTurn(of due: [ModelTask], _ now: Timestamp) -> (fresh: ModelTask?, retry: ModelTask?) {
        var shortage: Set<Bytes> = []
        var left = due
        while let first = left.min(by: { isBefore($0, $1, now) }) {
            let rings = Dictionary(grouping: left.filter { $0.priority == first.priority }, by: Ring.init)
            for (_, tasks) in rings.sorted(by: { turn($0.key) < turn($1.key) }) {
                let ranked = tasks.filter(hasGroupSlot).sorted { ($0.runAt, $0.id) < ($1.runAt, $1.id) }
                var heads = [ranked.first { !$0.isRetry }, ranked.first { $0.isRetry }]
                for index in heads.indices {
                    if let head = heads[index], !canPay(head, &shortage, now) { heads[index] = nil }
                }
                if heads[0] != nil || heads[1] != nil { return (heads[0], heads[1]) }
            }
            left.removeAll { $0.priority == first.priority }
        }
        return (nil, nil)
    }

    /// The same of tasks that need the same limits, whatever tokens there are.
    func firstInTurn(of line: [ModelTask], _ now: Timestamp) -> ModelTask? {
        var left = line
        while let first = left.min(by: { isBefore($0, $1, now) }) {
            let rings = Dictionary(grouping: left.filter { $0.priority == first.priority }, by: Ring.init)
            for (_, tasks) in rings.sorted(by: { turn($0.key) < turn($1.key) }) {
                let ranked = tasks.filter(hasGroupSlot).sorted { ($0.runAt, $0.id) < ($1.runAt, $1.id) }
                if let head = ranked.first(where: { !$0.isRetry }) ?? ranked.first { return head }
            }
            left.removeAll { $0.priority == first.priority }
        }
        return nil
    }

    /// Since when a group waits for its turn: since it was served, or since its first task is due.
    private func turn(_ ring: Ring) -> Turn {
        let line = tasks.values.filter { $0.isWaiting && Ring($0) == ring }
        let first = line.map { Turn(at: $0.runAt, id: $0.id.sequence) }.min() ?? Turn(at: .max)
        return max(served[ring] ?? first, first)
    }

    /// A task was handed out: its group goes behind the others, if it has more.
    mutating func serve(_ task: ModelTask, _ token: Int64, _ now: Timestamp) {
        let ring = Ring(task)
        guard fair.contains(task.queue), tasks.values.contains(where: { $0.isWaiting && Ring($0) == ring }) else {
            return
        }
        served[ring] = Turn(at: now, token: token)
    }

    /// Groups without waiting tasks are forgotten.
    mutating func forgetGroups() {
        guard !served.isEmpty else { return }
        let rings = Set(tasks.values.filter(\.isWaiting).map(Ring.init))
        served = served.filter { rings.contains($0.key) }
    }

    /// A waiting task is taken out of its line, to be put into another place.
    mutating func leaveLine(_ id: TaskID) {
        guard let state = tasks[id]?.state else { return }
        tasks[id]?.state = .active
        forgetGroups()
        tasks[id]?.state = state
    }

    /// Whether FAIR is, or was, set anywhere.
    var hasFair: Bool { !fair.isEmpty || options.values.contains { $0.fair == true } }

    /// The queues whose groups take turns when all bookkeeping is done.
    var wantedFair: Set<Bytes> { Set(options.filter { $0.value.fair == true }.keys) }

    mutating func observeFair(_ queues: Set<Bytes>) {
        fair = queues
        served = served.filter { queues.contains($0.key.queue) }
    }
}

internal import MartletEngine
internal import MartletProtocol

/// A group of a queue within a priority.
struct Ring: Hashable {
    var queue: Bytes
    var priority: Int
    var group: Bytes?

    init(_ task: ModelTask) { (queue, priority, group) = (task.queue, task.priority, task.group) }
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
    /// Of the tasks that are due, those of the group whose turn it is, in the priority of the one that comes first.
    func ofNextGroup(_ due: [ModelTask], first: ModelTask) -> [ModelTask] {
        let groups = Dictionary(grouping: due.filter { $0.priority == first.priority }, by: Ring.init)
        return groups.min { turn($0.key) < turn($1.key) }?.value ?? []
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

    mutating func observeFair(_ queues: Set<Bytes>) {
        fair = queues
        served = served.filter { queues.contains($0.key.queue) }
    }
}

import MartletProtocol

/// The queues that were active lately. In memory alone: nothing is known after a start.
struct Activity {
    /// How many queues are watched at a time; a further one is once another was idle.
    static let most = 500
    /// A queue without anything for so long is forgotten.
    private static let idle: Milliseconds = 2 * ActivityWindow.span

    private var windows: [UInt32: ActivityWindow] = [:]
    private var sweepAt: Timestamp = .min

    /// A span that a task spent in a queue: waiting to be handed out, or in a worker's hands.
    struct Sample {
        enum Kind {
            case wait
            case run
        }

        var queue: UInt32
        var kind: Kind
        var span: Milliseconds
    }

    subscript(queue: UInt32) -> ActivityWindow? { windows[queue] }

    /// A queue that is not watched was idle; `nil` when there may be no room to watch it.
    func rates(_ queue: UInt32, _ now: Timestamp) -> ActivityRates? {
        if let window = windows[queue] { return window.rates(now) }
        return windows.count < Self.most ? ActivityRates(entered: 0, left: 0, failed: 0) : nil
    }

    mutating func add(_ counts: ActivityCounts, to queue: UInt32, _ now: Timestamp) {
        guard makeRoom(for: queue, now) else { return }
        windows[queue, default: ActivityWindow(now)].add(counts, now)
    }

    mutating func add(_ sample: Sample, _ now: Timestamp) {
        guard makeRoom(for: sample.queue, now) else { return }
        windows[sample.queue, default: ActivityWindow(now)].add(sample, now)
    }

    mutating func forget(_ queue: UInt32) { windows[queue] = nil }

    /// Whether there is a window for the queue, or room for one.
    private mutating func makeRoom(for queue: UInt32, _ now: Timestamp) -> Bool {
        if now >= sweepAt {
            windows = windows.filter { $0.value.lastActive > now - Self.idle }
            sweepAt = now + ActivityWindow.span
        }
        return windows.count < Self.most || windows[queue] != nil
    }
}

extension Engine {
    /// The group is durable: what it did counts from now on.
    mutating func countActivity(_ now: Timestamp) {
        for (number, before) in undoLog.queues {
            let queue = queues[Int(number) - 1]
            guard !queue.name.isEmpty else {
                activity.forget(number)
                continue
            }
            let counts = ActivityCounts(
                added: queue.totalAdded - before.totalAdded, completed: queue.totalCompleted - before.totalCompleted,
                failed: queue.totalFailed - before.totalFailed)
            if !counts.isEmpty { activity.add(counts, to: number, now) }
        }
        for sample in undoLog.samples { activity.add(sample, now) }
    }
}

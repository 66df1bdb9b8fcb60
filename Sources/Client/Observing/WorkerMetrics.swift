import Metrics

/// What a worker counts, with queue and type as dimensions.
///
/// | metric | kind | dimensions |
/// | --- | --- | --- |
/// | `martlet_worker_tasks_total` | counter | queue, type, outcome: completed, failed, timeout, lease_lost, released |
/// | `martlet_worker_task_duration` | timer | queue, type |
/// | `martlet_client_enqueued_total` | counter | queue, type |
enum WorkerMetrics {
    static func record(_ outcome: Attempt.Outcome, of lease: Lease, took duration: Duration) {
        let dimensions = [("queue", lease.queue), ("type", lease.type)]
        Counter(label: "martlet_worker_tasks_total", dimensions: dimensions + [("outcome", name(outcome))]).increment()
        Timer(label: "martlet_worker_task_duration", dimensions: dimensions).record(duration: duration)
    }

    static func enqueued(_ count: Int, queue: String, type: String) {
        Counter(label: "martlet_client_enqueued_total", dimensions: [("queue", queue), ("type", type)])
            .increment(by: count)
    }

    private static func name(_ outcome: Attempt.Outcome) -> String {
        switch outcome {
        case .finished: "completed"
        case .failed: "failed"
        case .timedOut: "timeout"
        case .leaseLost: "lease_lost"
        case .abandoned: "released"
        }
    }
}

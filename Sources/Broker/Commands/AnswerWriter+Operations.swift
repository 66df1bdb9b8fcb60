import MartletEngine
import MartletProtocol

extension ReplyWriter {
    /// QUEUE.GET: every option, the broker's default where the queue has none of its own.
    mutating func options(_ options: QueueOptions) {
        map(QueueOption.allCases.count)
        for option in QueueOption.allCases {
            bulk(option.rawValue)
            let task = options.task
            switch option {
            case .priority: integer(Int64(task.priority ?? Limits.defaultPriority))
            case .retries: integer(task.retries ?? TaskDefaults.retries)
            case .backoff: bulk((task.backoff ?? TaskDefaults.backoff).text)
            case .jitter: integer(Int64(task.jitter ?? TaskDefaults.jitter))
            case .lease: integer(task.lease ?? TaskDefaults.lease)
            case .timeout: task.timeout.map { integer($0) } ?? null()
            case .timeToLive: task.timeToLive.map { integer($0) } ?? null()
            case .keep: integer(task.keep ?? TaskDefaults.keep)
            case .keepMax: integer(options.keepMax ?? Limits.keepMax)
            case .retryShare: options.retryShare.map { integer(Int64($0)) } ?? bulk("ADAPTIVE")
            case .deadMax: options.deadMax.map { integer($0) } ?? null()
            case .maxLength: options.maxLength.map { integer($0) } ?? null()
            case .concurrency: options.concurrency.map { integer($0) } ?? null()
            case .groupConcurrency: options.groupConcurrency.map { integer($0) } ?? null()
            case .aging: options.aging.map { integer($0) } ?? null()
            case .limit: options.limit.map { bulk($0) } ?? null()
            case .breaker: options.breaker.map { bulk($0) } ?? null()
            case .fair: bulk(options.fair == true ? "on" : "off")
            }
        }
    }

    /// TASK.WHY.
    mutating func why(_ view: WaitView) {
        map(4)
        field("state", text: view.state.name)
        field("reason", text: view.reason.rawValue)
        field("until", view.until)
        field("detail", text: view.detail)
    }

    /// One of TASK.OPS.
    mutating func operation(_ view: OperationView) {
        map(9)
        field("id", text: OperationID.text(view.number))
        field("verb", text: view.verb.name)
        field("state", text: view.state.name)
        field("matched", view.matched)
        field("done", view.done)
        field("failed", view.failed)
        field("rate", view.rate)
        field("started", view.started)
        field("ended", view.ended)
    }

    /// DLQ.LIST … BY KIND.
    mutating func deadKinds(_ kinds: [DeadKind], _ next: UInt64) {
        array(2)
        bulk(String(next))
        array(kinds.count)
        for kind in kinds {
            map(4)
            field("kind", kind.kind)
            field("count", kind.count)
            field("newest_at", kind.newestAt)
            field("message", kind.message)
        }
    }
}

extension Backoff {
    /// As it is said in TASK.ADD.
    fileprivate var text: String {
        switch self {
        case .exponential(let base, let cap): "EXPONENTIAL \(base) \(cap)"
        case .linear(let step, let cap): "LINEAR \(step) \(cap)"
        case .fixed(let delay): "FIXED \(delay)"
        case .list(let delays): "LIST \(delays.count) " + delays.map(String.init).joined(separator: " ")
        }
    }
}

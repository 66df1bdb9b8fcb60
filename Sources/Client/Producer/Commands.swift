import MartletProtocol

/// The commands of the wire contract that the client sends.
enum Commands {
    static func add(queue: String, type: String, payload: Bytes, _ options: TaskOptions, nonce: String) -> RESPCommand {
        var command = RESPCommand("TASK.ADD", .text(queue), .text(type), .bytes(payload))
        command.append(options)
        command.append("REQ", .text(nonce))
        return command
    }

    static func addMany(
        queue: String, type: String, payloads: ArraySlice<Bytes>, _ options: TaskOptions, nonce: String
    ) -> RESPCommand {
        var command = RESPCommand("TASK.MADD", .text(queue))
        command.append(options)
        command.append("REQ", .text(nonce))
        command.append("TASKS", .integer(Int64(payloads.count)))
        for payload in payloads { command.append(type, .bytes(payload)) }
        return command
    }

    static func get(_ id: TaskID, payload: Bool, history: Bool) -> RESPCommand {
        var command = RESPCommand("TASK.GET", .bytes(id.text))
        if payload { command.append(.text("PAYLOAD")) }
        if history { command.append(.text("HISTORY")) }
        return command
    }

    static func result(_ id: TaskID) -> RESPCommand { RESPCommand("TASK.RESULT", .bytes(id.text)) }

    /// `block` 0 waits for ever; `nil` does not wait.
    static func reserve(
        queues: [String], worker: String, lease: Milliseconds?, block: Milliseconds?, nonce: String
    ) -> RESPCommand {
        var command = RESPCommand("TASK.RESERVE", .integer(Int64(queues.count)))
        for queue in queues { command.append(.text(queue)) }
        if let block { command.append("BLOCK", .integer(block)) }
        if let lease { command.append("LEASE", .integer(lease)) }
        command.append("WORKER", .text(worker))
        command.append("REQ", .text(nonce))
        return command
    }

    static func acknowledge(_ lease: Lease, result: Bytes) -> RESPCommand {
        RESPCommand("TASK.ACK", .bytes(lease.id.text), .integer(lease.token), "RESULT", .bytes(result))
    }

    static func acknowledge(
        _ lease: Lease, result: Bytes, nonce: String, nextBlock: Milliseconds
    ) -> RESPCommand {
        var command = acknowledge(lease, result: result)
        command.append("REQ", .text(nonce))
        command.append(.text("NEXT"))
        command.append("BLOCK", .integer(nextBlock))
        return command
    }

    static func fail(_ lease: Lease, _ failure: TaskFailure, nonce: String) -> RESPCommand {
        var command = RESPCommand("TASK.FAIL", .bytes(lease.id.text), .integer(lease.token), .text(failure.message))
        if let kind = failure.kind { command.append("KIND", .text(kind)) }
        switch failure.next {
        case .backOff: break
        case .retry(let delay): command.append("RETRY", .integer(delay.wholeMilliseconds))
        case .dead: command.append(.text("DEAD"))
        }
        command.append("REQ", .text(nonce))
        return command
    }

    static func release(_ lease: Lease, nonce: String) -> RESPCommand {
        RESPCommand("TASK.RELEASE", .bytes(lease.id.text), .integer(lease.token), "REQ", .text(nonce))
    }

    static func touch(_ lease: Lease, progress: Int? = nil, note: String? = nil) -> RESPCommand {
        var command = RESPCommand("TASK.TOUCH", .bytes(lease.id.text), .integer(lease.token))
        command.append("LEASE", .integer(lease.duration))
        if let progress { command.append("PROGRESS", .integer(Int64(progress))) }
        if let note { command.append("NOTE", .text(note)) }
        return command
    }
}

extension RESPCommand {
    /// The options of TASK.ADD, only those that were set.
    mutating func append(_ options: TaskOptions) {
        if let priority = options.priority { append("PRIORITY", .integer(Int64(priority))) }
        switch options.due {
        case .now: break
        case .at(let time): append("AT", .integer(time))
        case .after(let delay): append("DELAY", .integer(delay))
        }
        if let retries = options.retries { append("RETRIES", .integer(retries)) }
        if let backoff = options.backoff { append(backoff) }
        if let jitter = options.jitter { append("JITTER", .integer(Int64(jitter))) }
        if let lease = options.lease { append("LEASE", .integer(lease)) }
        if let timeout = options.timeout { append("TIMEOUT", .integer(timeout)) }
        if let timeToLive = options.timeToLive { append("TTL", .integer(timeToLive)) }
        if let keep = options.keep { append("KEEP", .integer(keep)) }
    }

    private mutating func append(_ backoff: Backoff) {
        switch backoff {
        case .exponential(let base, let cap):
            append("BACKOFF", "EXPONENTIAL")
            append(.integer(base))
            append(.integer(cap))
        case .linear(let step, let cap):
            append("BACKOFF", "LINEAR")
            append(.integer(step))
            append(.integer(cap))
        case .fixed(let delay):
            append("BACKOFF", "FIXED")
            append(.integer(delay))
        case .list(let delays):
            append("BACKOFF", "LIST")
            append(.integer(Int64(delays.count)))
            for delay in delays { append(.integer(delay)) }
        }
    }
}

extension Duration {
    /// Rounded down; the largest number when it does not fit.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000)
        let (sum, carried) = milliseconds.addingReportingOverflow(attoseconds / 1_000_000_000_000_000)
        return overflow || carried ? .max : sum
    }
}

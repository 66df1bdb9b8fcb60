import FoundationEssentials
import MartletProtocol

/// The commands of the wire contract that the client sends.
enum Commands {
    static func add(_ task: NewTask, nonce: String) -> RESPCommand {
        var command = task.command
        command.append("REQ", .text(nonce))
        command.append(.text("FULL"))
        return command
    }

    static func addMany(
        queue: String, type: String, payloads: ArraySlice<Bytes>, _ options: TaskOptions, after: After?,
        batch: Batch?, nonce: String
    ) -> RESPCommand {
        var command = RESPCommand("TASK.MADD", .text(queue))
        command.append(options)
        if let after { command.append(after) }
        if let batch { command.append("BATCH", .text(batch.id)) }
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

    /// Blocks until all have ended.
    static func wait(_ ids: [TaskID], block: Milliseconds) -> RESPCommand {
        var command = RESPCommand("TASK.WAIT", .integer(Int64(ids.count)))
        for id in ids { command.append(.bytes(id.text)) }
        command.append("BLOCK", .integer(block))
        return command
    }

    static func result(_ id: TaskID) -> RESPCommand { RESPCommand("TASK.RESULT", .bytes(id.text)) }

    /// `block` 0 waits for ever; `nil` does not wait.
    static func reserve(
        queues: [String], _ options: WorkerOptions, block: Milliseconds?, nonce: String
    ) -> RESPCommand {
        var command = RESPCommand("TASK.RESERVE", .integer(Int64(queues.count)))
        for queue in queues { command.append(.text(queue)) }
        if let block { command.append("BLOCK", .integer(block)) }
        if let lease = options.lease { command.append("LEASE", .integer(lease.wholeMilliseconds)) }
        command.append("WORKER", .text(options.name))
        command.append(options.choice)
        command.append("REQ", .text(nonce))
        return command
    }

    /// - Parameter children: each the arguments of a TASK.ADD.
    static func acknowledge(
        _ lease: Lease, result: Bytes, children: [[RESPCommand.Argument]]
    ) -> RESPCommand {
        var command = RESPCommand("TASK.ACK", .bytes(lease.id.text), .integer(lease.token), "RESULT", .bytes(result))
        for child in children {
            command.append("ADD", .integer(Int64(child.count)))
            for argument in child { command.append(argument) }
        }
        return command
    }

    static func acknowledge(
        _ lease: Lease, result: Bytes, children: [[RESPCommand.Argument]], nonce: String, nextBlock: Milliseconds
    ) -> RESPCommand {
        var command = acknowledge(lease, result: result, children: children)
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

    static func hello(_ options: WorkerOptions, queues: [String]) -> RESPCommand {
        var command = RESPCommand("WORKER.HELLO", .text(options.name))
        let process = ProcessInfo.processInfo
        command.append("HOST", .text(String(process.hostName.prefix(64))))
        command.append("PID", .integer(Int64(process.processIdentifier)))
        command.append("SLOTS", .integer(Int64(max(options.slots, 1))))
        // Those the broker shows; it hands out from all of them.
        let shown = queues.prefix(100)
        command.append("QUEUES", .integer(Int64(shown.count)))
        for queue in shown { command.append(.text(queue)) }
        command.append("LIB", .text(Greeting.library))
        command.append(.text(Greeting.version))
        return command
    }

    static func beat(_ worker: String, resident: Int?, extending leases: [Lease]) -> RESPCommand {
        var command = RESPCommand("WORKER.BEAT", .text(worker))
        if let resident { command.append("RSS", .integer(Int64(resident))) }
        command.append("BUSY", .integer(Int64(leases.count)))
        guard !leases.isEmpty else { return command }
        command.append("EXTEND", .integer(Int64(leases.count)))
        for lease in leases {
            command.append(.bytes(lease.id.text))
            command.append(.integer(lease.token))
        }
        return command
    }

    static func bye(_ worker: String) -> RESPCommand {
        RESPCommand("WORKER.BYE", .text(worker), "REQ", .text(Nonce.random()))
    }

    static func log(_ lease: Lease, _ lines: [String], nonce: String) -> RESPCommand {
        var command = RESPCommand("TASK.LOG", .bytes(lease.id.text), .integer(lease.token))
        for line in lines { command.append(.text(line)) }
        command.append("REQ", .text(nonce))
        return command
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
        if let group = options.group { append("GROUP", .bytes(group)) }
        if let order = options.order { append("ORDER", .bytes(order)) }
        for limit in options.limits {
            append("LIMIT", .bytes(limit.name))
            append("COST", .integer(limit.cost))
        }
        if !options.tags.isEmpty { append("TAGS", .integer(Int64(options.tags.count))) }
        for tag in options.tags { append(.bytes(tag)) }
        if !options.meta.isEmpty { append("META", .integer(Int64(options.meta.count))) }
        for field in options.meta {
            append(.bytes(field.name))
            append(.bytes(field.value))
        }
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

public import MartletProtocol

// Queues.
extension MartletClient {
    /// A queue's counts; `refused` with NOQUEUE when there is none of that name.
    public func queueInfo(_ name: String) async throws(MartletError) -> QueueDetails {
        try QueueDetails(try await link.send(RESPCommand("QUEUE.INFO", .text(name))))
    }

    /// All queues.
    public func queues() async throws(MartletError) -> [QueueDetails] {
        var queues: [QueueDetails] = []
        for queue in try await link.send(RESPCommand("QUEUE.LIST")).elements ?? [] {
            queues.append(try QueueDetails(queue))
        }
        return queues
    }

    /// Sets options of a queue, which appears with that if there is none.
    public func setQueue(_ name: String, _ options: QueueOption...) async throws(MartletError) {
        var command = RESPCommand("QUEUE.SET", .text(name))
        for option in options {
            command.append(.text(option.name))
            for value in option.values { command.append(.text(value)) }
        }
        _ = try await link.send(command.withNonce())
    }

    /// A queue's options, by their upper-case names.
    public func queueOptions(_ name: String) async throws(MartletError) -> [String: String] {
        var options: [String: String] = [:]
        for (key, value) in try await link.send(RESPCommand("QUEUE.GET", .text(name))).pairs ?? [] {
            guard let key = key.word else { throw .decoding("not a map of options") }
            options[key] = value.word ?? value.elements.map { $0.compactMap(\.word).joined(separator: " ") }
        }
        return options
    }

    /// Holds a queue: its hand-outs, its adds, or both; for a time or until `resumeQueue`.
    public func pauseQueue(
        _ name: String, _ side: PausedSide = .out, for time: Duration? = nil
    ) async throws(MartletError) {
        var command = RESPCommand("QUEUE.PAUSE", .text(name), .text(side.rawValue))
        if let time { command.append("FOR", .integer(time.wholeMilliseconds)) }
        _ = try await link.send(command.withNonce())
    }

    /// Ends a pause.
    public func resumeQueue(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("QUEUE.RESUME", .text(name)).withNonce())
    }

    /// Takes no more tasks into a queue until `resumeQueue`; those it has are worked off, their retries too.
    ///
    /// - Parameters:
    ///   - name: the queue's.
    ///   - wait: how long to wait until they have all ended; `nil`: for ever.
    /// - Returns: whether they have; without waiting, `false`.
    @discardableResult
    public func drainQueue(_ name: String, wait: Duration? = .zero) async throws(MartletError) -> Bool {
        var command = RESPCommand("QUEUE.DRAIN", .text(name))
        guard wait != .zero else {
            _ = try await link.send(command.withNonce())
            return false
        }
        // BLOCK 0 is for ever.
        let block = wait.map { max($0.wholeMilliseconds, 1) }
        command.append("BLOCK", .integer(block ?? 0))
        return !(try await lines.send(command.withNonce(), blocking: block.map { .milliseconds($0) })).isNull
    }

    /// Removes all tasks of a queue that are in `state`; returns how many.
    @discardableResult
    public func purgeQueue(_ name: String, _ state: TaskState) async throws(MartletError) -> Int {
        try Self.count(
            try await link.send(RESPCommand("QUEUE.PURGE", .text(name), "STATE", .text(state.name)).withNonce()))
    }

    /// Removes a queue with all its tasks; `refused` with BADSTATE while some are active.
    public func deleteQueue(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("QUEUE.DEL", .text(name)).withNonce())
    }
}

/// What a pause holds.
public enum PausedSide: String, Sendable {
    /// Adds are refused.
    case `in` = "IN"
    /// Nothing is handed out.
    case out = "OUT"
    case all = "ALL"
}

/// One option of a queue: a default for its tasks, or a bound.
public struct QueueOption: Sendable, Hashable {
    /// As `QUEUE.SET` names it, in upper case.
    public var name: String
    /// What follows the name.
    public var values: [String]

    /// Any option of `QUEUE.SET`.
    public init(_ name: String, _ values: String...) {
        self.name = name
        self.values = values
    }

    /// The priority of tasks that name none: 1…10, 10 is the most urgent.
    public static func priority(_ priority: Int) -> Self { Self("PRIORITY", "\(priority)") }
    /// Further attempts after the first.
    public static func retries(_ retries: Int) -> Self { Self("RETRIES", "\(retries)") }
    /// How much longer a back-off may be by chance: 0…100 per cent.
    public static func jitter(_ percent: Int) -> Self { Self("JITTER", "\(percent)") }
    /// How long a hand-out is held without a sign of life, in milliseconds, at least 1.
    public static func lease(_ length: Milliseconds) -> Self { Self("LEASE", "\(length)") }
    /// How long one attempt may take, in milliseconds, at least 1.
    public static func timeout(_ length: Milliseconds) -> Self { Self("TIMEOUT", "\(length)") }
    /// How long after it was added a task may still begin, in milliseconds, at least 1.
    public static func timeToLive(_ length: Milliseconds) -> Self { Self("TTL", "\(length)") }
    /// How long the record of an ended task stays, in milliseconds; 0: it goes at the end.
    public static func keep(_ length: Milliseconds) -> Self { Self("KEEP", "\(length)") }
    /// Most records of ended tasks; the oldest go first.
    public static func keepMax(_ count: Int) -> Self { Self("KEEPMAX", "\(count)") }

    /// Most dead letters; the oldest go first.
    public static func deadLettersMax(_ count: Int) -> Self { Self("DLQMAX", "\(count)") }
    /// Most tasks that wait; more are refused with QUEUEFULL.
    public static func maxLength(_ count: Int) -> Self { Self("MAXLEN", "\(count)") }
    /// Most tasks that run at a time, over all workers.
    public static func concurrency(_ count: Int) -> Self { Self("CONCURRENCY", "\(count)") }
    /// Most tasks of one group that run at a time, over all workers.
    public static func groupConcurrency(_ count: Int) -> Self { Self("GROUPCONCURRENCY", "\(count)") }
    /// Whether the groups of its tasks take turns.
    public static func fair(_ isOn: Bool) -> Self { Self("FAIR", isOn ? "on" : "off") }
    /// Its hand-outs use up tokens of this limit, one each.
    public static func limit(_ name: String) -> Self { Self("LIMIT", name) }
    /// Its failures count for this breaker, which holds its hand-outs while it is open.
    public static func breaker(_ name: String) -> Self { Self("BREAKER", name) }
    /// Each time a task has waited so long it counts as one more urgent.
    public static func aging(_ length: Milliseconds) -> Self { Self("AGING", "\(length)") }
    /// The share of hand-outs that retries get while there are fresh tasks too, in per cent.
    public static func retryShare(_ percent: Int) -> Self { Self("RETRYSHARE", "\(percent)") }
    /// The same by how many retries there are: the default.
    public static let adaptiveRetryShare = Self("RETRYSHARE", "ADAPTIVE")

    /// How long a failed attempt is waited after.
    public static func backoff(_ backoff: Backoff) -> Self {
        var option = Self("BACKOFF")
        switch backoff {
        case .exponential(let base, let cap): option.values = ["EXPONENTIAL", "\(base)", "\(cap)"]
        case .linear(let step, let cap): option.values = ["LINEAR", "\(step)", "\(cap)"]
        case .fixed(let delay): option.values = ["FIXED", "\(delay)"]
        case .list(let delays): option.values = ["LIST", "\(delays.count)"] + delays.map { "\($0)" }
        }
        return option
    }
}

extension RESPCommand {
    /// The same with a REQ of its own, so that it is done once however often it is sent.
    func withNonce() -> RESPCommand {
        var command = self
        command.append("REQ", .text(Nonce.random()))
        return command
    }
}

import MartletProtocol

// Dead letters, and what runs in the background at the broker.
extension MartletClient {
    /// A queue's dead letters, oldest first.
    public func deadLetters(_ queue: String) -> Pages<TaskDetails> {
        Pages { [link] cursor throws(MartletError) in
            let command = RESPCommand("DLQ.LIST", .text(queue), "CURSOR", .text(cursor))
            return try Pages.read(try await link.send(command)) { row throws(MartletError) in try TaskDetails(row) }
        }
    }

    /// A queue's dead letters counted by the kind of their last error.
    public func deadLetterKinds(_ queue: String) -> Pages<DeadLetterKind> {
        Pages { [link] cursor throws(MartletError) in
            let command = RESPCommand("DLQ.LIST", .text(queue), "BY", "KIND", "CURSOR", .text(cursor))
            return try Pages.read(try await link.send(command)) { row throws(MartletError) in
                try DeadLetterKind(row)
            }
        }
    }

    /// Gives dead letters all their attempts again, in the background.
    public func replayDeadLetters(
        _ queue: String, _ filter: ReplayFilter = .init()
    ) async throws(MartletError) -> OperationID {
        try await operation(replay(queue, filter).withNonce())
    }

    /// How many dead letters a replay would take.
    public func countReplay(_ queue: String, _ filter: ReplayFilter = .init()) async throws(MartletError) -> Int {
        var command = replay(queue, filter)
        command.append(.text("DRYRUN"))
        return try Self.count(try await link.send(command))
    }

    private func replay(_ queue: String, _ filter: ReplayFilter) -> RESPCommand {
        var command = RESPCommand("DLQ.REPLAY", .text(queue))
        filter.append(to: &command)
        return command
    }

    /// Removes a queue's dead letters, of one kind or all; returns how many.
    @discardableResult
    public func purgeDeadLetters(_ queue: String, kind: String? = nil) async throws(MartletError) -> Int {
        var command = RESPCommand("DLQ.PURGE", .text(queue))
        if let kind { command.append("KIND", .text(kind)) }
        return try Self.count(try await link.send(command.withNonce()))
    }

    /// What runs and lately ran in the background.
    public func operations() async throws(MartletError) -> [OperationDetails] {
        var operations: [OperationDetails] = []
        for row in try await link.send(RESPCommand("TASK.OPS")).elements ?? [] {
            operations.append(try OperationDetails(row))
        }
        return operations
    }

    /// How an operation goes on: asked at every `interval` until it has ended, whose state is the last element.
    public func progress(
        of id: OperationID, every interval: Duration = .milliseconds(500)
    ) -> Pages<OperationDetails> {
        Pages { [self] cursor throws(MartletError) in
            if cursor != "0" {
                do { try await Task.sleep(for: interval) } catch { throw .cancelled }
            }
            guard let details = try await operations().first(where: { $0.id == id }) else { return ("0", []) }
            return (details.endedAt == nil ? "more" : "0", [details])
        }
    }

    /// Stops an operation; what it did stays.
    public func stopOperation(_ id: OperationID) async throws(MartletError) {
        _ = try await link.send(RESPCommand("TASK.STOPOP", .text(id.text)).withNonce())
    }

    func operation(_ command: RESPCommand) async throws(MartletError) -> OperationID {
        guard let text = try await link.send(command).word else { throw .decoding("not an operation's id") }
        return OperationID(text: text)
    }
}

// Workers.
extension MartletClient {
    /// All workers the broker has heard of lately.
    public func workers() async throws(MartletError) -> [WorkerDetails] {
        var workers: [WorkerDetails] = []
        for row in try await link.send(RESPCommand("WORKER.LIST")).elements ?? [] {
            workers.append(try WorkerDetails(row))
        }
        return workers
    }

    /// One worker; `refused` when there is none of that name.
    public func worker(_ name: String) async throws(MartletError) -> WorkerDetails {
        try WorkerDetails(try await link.send(RESPCommand("WORKER.INFO", .text(name))))
    }

    /// With its next beat a worker takes nothing new. `*`: all workers.
    public func quietWorker(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("WORKER.QUIET", .text(name)))
    }

    /// With its next beat a worker finishes and ends. `*`: all workers.
    public func stopWorker(_ name: String) async throws(MartletError) {
        _ = try await link.send(RESPCommand("WORKER.STOP", .text(name)))
    }
}

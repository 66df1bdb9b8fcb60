public import MartletProtocol

// Asking about tasks, and giving orders about them.
extension MartletClient {
    /// What the broker knows about a task; `refused` with NOTASK when there is none.
    public func task(
        _ id: TaskID, payload: Bool = false, history: Bool = false
    ) async throws(MartletError) -> TaskDetails {
        try TaskDetails(try await link.send(Commands.get(id, payload: payload, history: history)))
    }

    /// The result of an ended task, `nil` if it has none; `refused` with BADSTATE before the end.
    public func result(_ id: TaskID) async throws(MartletError) -> Bytes? {
        try await link.send(Commands.result(id)).bytes
    }

    /// The tasks that `query` describes, page by page.
    public func tasks(_ query: TaskQuery = .init()) -> Pages<TaskDetails> {
        Pages { [link] cursor throws(MartletError) in
            try Pages.read(try await link.send(query.command(cursor: cursor))) { row throws(MartletError) in
                try TaskDetails(row)
            }
        }
    }

    /// The log lines kept with a task, oldest first; of one attempt or of all.
    public func logs(_ id: TaskID, attempt: Int? = nil) -> Pages<TaskLogLine> {
        Pages { [link] cursor throws(MartletError) in
            var command = RESPCommand("TASK.LOGS", .bytes(id.text))
            if let attempt { command.append("ATTEMPT", .integer(Int64(attempt))) }
            command.append("CURSOR", .text(cursor))
            return try Pages.read(try await link.send(command)) { row throws(MartletError) in try TaskLogLine(row) }
        }
    }

    /// Makes an ended or a scheduled task due now. `resetting` gives it all its attempts again; else it has one more.
    @discardableResult
    public func retry(_ id: TaskID, resetting: Bool = false) async throws(MartletError) -> TaskState {
        var command = RESPCommand("TASK.RETRY", .bytes(id.text))
        if resetting { command.append(.text("RESET")) }
        return try await state(after: command)
    }

    /// Changes when, where or how urgently a waiting task runs.
    @discardableResult
    public func move(
        _ id: TaskID, priority: Int? = nil, at time: Timestamp? = nil, queue: String? = nil
    ) async throws(MartletError) -> TaskState {
        var command = RESPCommand("TASK.MOVE", .bytes(id.text))
        if let priority { command.append("PRIORITY", .integer(Int64(priority))) }
        if let time { command.append("AT", .integer(time)) }
        if let queue { command.append("QUEUE", .text(queue)) }
        return try await state(after: command)
    }

    /// Gives a task up. A running one is told with its worker's next beat: the answer is then `active`.
    @discardableResult
    public func cancel(_ id: TaskID, reason: String? = nil) async throws(MartletError) -> TaskState {
        var command = RESPCommand("TASK.CANCEL", .bytes(id.text))
        if let reason { command.append("REASON", .text(reason)) }
        return try await state(after: command)
    }

    /// Removes tasks and everything about them; returns how many there were. An active one is `refused`: BADSTATE.
    @discardableResult
    public func delete(_ ids: [TaskID]) async throws(MartletError) -> Int {
        guard !ids.isEmpty else { return 0 }
        var command = RESPCommand("TASK.DEL")
        for id in ids { command.append(.bytes(id.text)) }
        command.append("REQ", .text(Nonce.random()))
        return try Self.count(try await link.send(command))
    }

    private func state(after command: RESPCommand) async throws(MartletError) -> TaskState {
        var command = command
        command.append("REQ", .text(Nonce.random()))
        guard let state = ReplyFields.state(try await link.send(command)) else { throw .decoding("not a state") }
        return state
    }

    static func count(_ reply: RESPValue) throws(MartletError) -> Int {
        guard let count = reply.integer.flatMap({ Int(exactly: $0) }) else { throw .decoding("not a number") }
        return count
    }
}

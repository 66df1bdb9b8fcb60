import MartletProtocol

/// Reads the fields of a reply that is a map; a field that is missing or of the wrong kind is a `decoding` error.
struct ReplyFields {
    let value: RESPValue

    init(_ value: RESPValue) { self.value = value }

    /// `nil` where the broker has none.
    func optional(_ name: String) -> RESPValue? {
        guard let field = value[name], !field.isNull else { return nil }
        return field
    }

    func text(_ name: String) throws(MartletError) -> String {
        guard let text = optional(name)?.text else { throw Self.wrong(name) }
        return text
    }

    func bytes(_ name: String) throws(MartletError) -> Bytes {
        guard let bytes = optional(name)?.bytes else { throw Self.wrong(name) }
        return bytes
    }

    func integer(_ name: String) throws(MartletError) -> Int64 {
        guard let number = optional(name)?.integer else { throw Self.wrong(name) }
        return number
    }

    func count(_ name: String) throws(MartletError) -> Int {
        guard let count = Int(exactly: try integer(name)) else { throw Self.wrong(name) }
        return count
    }

    /// `nil` where the broker has none.
    func number(_ name: String) -> Int? { optional(name)?.integer.flatMap { Int(exactly: $0) } }

    /// A double, in RESP2 as text.
    func double(_ name: String) throws(MartletError) -> Double {
        guard let value = optional(name) else { throw Self.wrong(name) }
        if case .double(let number) = value { return number }
        guard let number = value.word.flatMap(Double.init) else { throw Self.wrong(name) }
        return number
    }

    func flag(_ name: String) throws(MartletError) -> Bool {
        guard let flag = optional(name)?.boolean else { throw Self.wrong(name) }
        return flag
    }

    func id(_ name: String) throws(MartletError) -> TaskID {
        guard let id = TaskID(try bytes(name)) else { throw Self.wrong(name) }
        return id
    }

    /// A map of texts, in either protocol's form; empty where the broker has none.
    func texts(_ name: String) -> [String: String] {
        var texts: [String: String] = [:]
        for (key, value) in optional(name)?.pairs ?? [] {
            if let key = key.text, let value = value.text { texts[key] = value }
        }
        return texts
    }

    func state(_ name: String) throws(MartletError) -> TaskState {
        guard let state = Self.state(optional(name)) else { throw Self.wrong(name) }
        return state
    }

    static func state(_ value: RESPValue?) -> TaskState? {
        guard let text = value?.text else { return nil }
        return TaskState.allCases.first { $0.name == text }
    }

    static func wrong(_ name: String) -> MartletError { .decoding("the reply has no valid '\(name)'") }
}

extension RESPValue {
    /// The fields of a map, or of RESP2's flat array of fields and values; `nil` for the rest.
    var pairs: [(RESPValue, RESPValue)]? {
        switch self {
        case .map(let fields): fields.map { ($0.key, $0.value) }
        case .array(let flat): stride(from: 0, to: flat.count - 1, by: 2).map { (flat[$0], flat[$0 + 1]) }
        default: nil
        }
    }
}

extension TaskDetails {
    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        id = try fields.id("id")
        queue = try fields.text("queue")
        type = try fields.text("type")
        state = try fields.state("state")
        priority = try fields.count("priority")
        attempt = try fields.count("attempt")
        retries = try fields.count("retries")
        retriesLeft = try fields.count("retries_left")
        token = fields.optional("token")?.integer
        worker = fields.optional("worker")?.text
        enqueuedAt = try fields.integer("enqueued_at")
        runAt = try fields.integer("run_at")
        startedAt = fields.optional("started_at")?.integer
        deadline = fields.optional("deadline")?.integer
        endedAt = fields.optional("ended_at")?.integer
        lastError = fields.optional("last_error")?.text
        errorKind = fields.optional("error_kind")?.text
        progress = fields.number("progress")
        note = fields.optional("note")?.text
        isBeingCancelled = fields.optional("cancel")?.boolean ?? false
        unique = fields.optional("unique")?.text
        group = fields.optional("group")?.text
        order = fields.optional("order")?.text
        tags = (fields.optional("tags")?.elements ?? []).compactMap(\.text)
        meta = fields.texts("meta")
        keepUntil = fields.optional("keep_until")?.integer
        resultSize = fields.number("result_size")
        payloadSize = try fields.count("payload_size")
        payload = fields.optional("payload")?.bytes
        history = nil
        guard let moves = fields.optional("history")?.elements else { return }
        var read: [TaskMove] = []
        for move in moves { read.append(try TaskMove(move)) }
        history = read
    }
}

extension TaskMove {
    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        at = try fields.integer("at")
        from = ReplyFields.state(fields.optional("from"))
        to = try fields.state("to")
        attempt = try fields.count("attempt")
        reason = try fields.text("reason")
        kind = fields.optional("kind")?.text
        message = fields.optional("message")?.text
        trace = fields.optional("trace")?.text
        worker = fields.optional("worker")?.text
    }
}

extension QueueDetails {
    init(_ value: RESPValue) throws(MartletError) {
        let fields = ReplyFields(value)
        name = try fields.text("name")
        pending = try fields.count("pending")
        scheduled = try fields.count("scheduled")
        active = try fields.count("active")
        blocked = try fields.count("blocked")
        dead = try fields.count("dlq")
        completed = try fields.count("completed")
        cancelled = try fields.count("cancelled")
        expired = try fields.count("expired")
        totalAdded = try fields.count("total_added")
        totalCompleted = try fields.count("total_completed")
        totalFailed = try fields.count("total_failed")
        oldest = fields.optional("oldest_ms")?.integer
        inRate = try? fields.double("in_rate")
        outRate = try? fields.double("out_rate")
        failRate = try? fields.double("fail_rate")
        waitMedian = fields.optional("wait_p50")?.integer
        waitP99 = fields.optional("wait_p99")?.integer
        runMedian = fields.optional("run_p50")?.integer
        runP99 = fields.optional("run_p99")?.integer
        paused = try fields.flag("paused")
        draining = try fields.flag("draining")
        retryShare = try fields.count("retry_share")
        workers = try fields.count("workers")
        lagging = try fields.flag("lagging")
    }
}

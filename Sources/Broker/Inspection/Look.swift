import MartletEngine
import MartletProtocol
import MartletStorage

/// What the reserved keys hold, now. Keys that are not reserved hold nothing.
struct Look {
    let now: Timestamp

    static let wrongType = CommandError(
        .wrongType, "Operation against a key holding the wrong kind of value")

    func exists<A>(_ key: Bytes, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>) throws -> Bool {
        switch ReservedKey(key) {
        case nil: try engine.text(key, now: now, in: transaction) != nil
        case .unknown: false
        case .task(let id): try task(id, false, engine, transaction) != nil
        case .view(let queue, _): try self.queue(queue, engine, transaction) != nil
        case .stateCount, .queues, .events: true
        case .worker(let name): try worker(name, engine, transaction) != nil
        }
    }

    /// What a command for another kind of key finds under a plain one.
    private func nothing<A>(
        _ key: Bytes, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> [(StaticString, Bytes)] {
        guard try !exists(key, engine, transaction) else { throw Self.wrongType }
        return []
    }

    func fields<A>(
        _ key: Bytes, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> [(StaticString, Bytes)] {
        switch ReservedKey(key) {
        case nil: try nothing(key, engine, transaction)
        case .unknown: []
        case .worker(let name): try worker(name, engine, transaction).map { $0.textFields } ?? []
        case .task(let id): try task(id, false, engine, transaction).map { $0.textFields } ?? []
        case .view, .stateCount, .queues, .events: throw Self.wrongType
        }
    }

    func field<A>(
        _ key: Bytes, _ field: Bytes, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> Bytes? {
        if field == Array("payload".utf8), case .task(let id) = ReservedKey(key) {
            return try task(id, true, engine, transaction)?.payload
        }
        return try fields(key, engine, transaction).first { "\($0.0)".utf8.elementsEqual(field) }?.1
    }

    func task<A>(
        _ id: TaskID?, _ payload: Bool, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> TaskView? {
        let request = GetRequest(id: id, payload: payload)
        switch try engine.answer(.get(request), now: now, in: transaction) {
        case .task(let view): return view
        case .refused(let refusal) where refusal.code != .noTask: throw refusal
        default: return nil
        }
    }

    func queue<A>(
        _ name: Bytes, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> QueueView? {
        guard case .queue(let view) = try engine.answer(.queueInfo(name), now: now, in: transaction) else { return nil }
        return view
    }

    func allQueues<A>(
        _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> [QueueView] {
        guard case .queues(let views) = try engine.answer(.queueList, now: now, in: transaction) else { return [] }
        return views
    }

    func count<A>(
        _ key: Bytes, _ type: String, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> Int64 {
        guard let reserved = ReservedKey(key), reserved.type != "none" else {
            return Int64(try nothing(key, engine, transaction).count)
        }
        guard reserved.type == type, case .view(let name, let view) = reserved else { throw Self.wrongType }
        guard let queue = try queue(name, engine, transaction) else { return 0 }
        switch view {
        case .pending: return queue.pending
        case .scheduled: return queue.scheduled
        case .active: return queue.active
        case .dead: return queue.dead
        }
    }

    /// A range by rank as Redis has it: both ends included, negative ones from the end.
    func range<A>(
        _ key: Bytes, _ type: String, _ from: Int64, _ to: Int64, _ engine: borrowing Engine,
        _ transaction: borrowing Transaction<A>
    ) throws -> [ScoredTask] {
        let count = try count(key, type, engine, transaction)
        guard case .view(let queue, let view) = ReservedKey(key) else { return [] }
        let first = max(0, from < 0 ? from.addingReportingOverflow(count).partialValue : from)
        let last = min(count - 1, to < 0 ? to.addingReportingOverflow(count).partialValue : to)
        guard first <= last else { return [] }
        guard first <= InspectionLimits.skip else {
            throw CommandError(.error, "a range begins at most \(InspectionLimits.skip) entries from the start")
        }
        let limit = Int(min(last - first, Int64(InspectionLimits.range - 1))) + 1
        return try engine.entries(view, of: queue, skip: Int(first), count: limit, now: now, in: transaction)
    }

    func stateCount<A>(
        _ key: Bytes, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> Int64? {
        guard let reserved = ReservedKey(key), reserved.type != "none" else { return nil }
        guard case .stateCount(let state) = reserved else { throw Self.wrongType }
        return try engine.count(of: state, now: now, in: transaction)
    }

    func queueNames<A>(
        _ key: Bytes, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> [Bytes] {
        guard let reserved = ReservedKey(key), reserved.type != "none" else {
            return try nothing(key, engine, transaction).map { $0.1 }
        }
        guard case .queues = reserved else { throw Self.wrongType }
        return engine.queueNames
    }
}

extension QueueView {
    func count(of state: TaskState) -> Int64 {
        switch state {
        case .scheduled: scheduled
        case .pending: pending
        case .active: active
        case .completed: completed
        case .dead: dead
        case .cancelled: cancelled
        case .expired: expired
        case .blocked: blocked
        }
    }
}

extension TaskView {
    /// The fields of TASK.GET that are not null, as text.
    var textFields: [(StaticString, Bytes)] {
        func number(_ value: Int64?) -> Bytes? { value.map { Array(String($0).utf8) } }
        func listed(_ items: [Bytes]) -> Bytes? {
            items.isEmpty ? nil : Bytes(items.joined(separator: [UInt8(ascii: ",")]))
        }
        let all: [(StaticString, Bytes?)] = [
            ("id", id.text), ("queue", queue), ("type", type), ("state", Array(state.name.utf8)),
            ("priority", number(Int64(priority))), ("attempt", number(attempt)), ("retries", number(retries)),
            ("retries_left", number(retriesLeft)), ("token", number(token)), ("worker", worker),
            ("enqueued_at", number(enqueuedAt)), ("run_at", number(runAt)), ("started_at", number(startedAt)),
            ("deadline", number(deadline)), ("ended_at", number(endedAt)), ("last_error", lastError),
            ("error_kind", errorKind), ("progress", number(progress.map(Int64.init))), ("note", note),
            ("cancel", number(cancel ? 1 : 0)), ("unique", unique), ("group", group),
            ("order", order), ("tags", listed(tags)),
            ("meta", listed(meta.map { $0.name + [UInt8(ascii: "=")] + $0.value })), ("keep_until", number(keepUntil)),
            ("result_size", number(resultSize.map(Int64.init))), ("payload_size", number(Int64(payloadSize))),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }
}

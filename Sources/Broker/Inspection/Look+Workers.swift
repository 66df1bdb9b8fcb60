import MartletEngine
import MartletProtocol
import MartletStorage

extension Look {
    func worker<A>(
        _ name: Bytes, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> WorkerView? {
        guard case .worker(let view) = try engine.answer(.workerInfo(name), now: now, in: transaction) else {
            return nil
        }
        return view
    }

    func workers<A>(_ engine: borrowing Engine, _ transaction: borrowing Transaction<A>) throws -> [WorkerView] {
        guard case .workers(let views) = try engine.answer(.workerList, now: now, in: transaction) else { return [] }
        return views
    }

    /// How many `unit`s of milliseconds until the key goes by itself: -1: it does not; -2: there is none. Records of
    /// ended tasks go.
    func timeToLive<A>(
        _ key: Bytes, _ unit: Milliseconds, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> Int64 {
        if case .task(let id) = ReservedKey(key), let task = try task(id, false, engine, transaction) {
            return task.keepUntil.map { max(0, ($0 - now + unit - 1) / unit) } ?? -1
        }
        if ReservedKey(key) == nil, let text = try engine.text(key, now: now, in: transaction) {
            return text.until.map { ($0 - now + unit / 2) / unit } ?? -1
        }
        return try exists(key, engine, transaction) ? -1 : -2
    }

    /// About how many bytes are stored of what a key shows; `nil`: there is no such key.
    func memory<A>(
        _ key: Bytes, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> Int64? {
        guard try exists(key, engine, transaction) else { return nil }
        switch ReservedKey(key) {
        case .task(let id?): return Int64(try engine.storedBytes(of: id, in: transaction))
        case .view(_, let view):
            return try count(key, view == .dead ? "list" : "zset", engine, transaction) * Self.entryBytes
        case .worker: return Int64(try fields(key, engine, transaction).reduce(0) { $0 + $1.1.count })
        case .queues: return Int64(engine.queueNames.reduce(0) { $0 + $1.count })
        default: return Self.entryBytes
        }
    }

    /// An entry of an index, with what the tree adds to it.
    private static let entryBytes: Int64 = 40
}

extension WorkerView {
    /// The fields of WORKER.INFO that are not null, as text; lists with spaces in between.
    var textFields: [(StaticString, Bytes)] {
        func number(_ value: Int64?) -> Bytes? { value.map { Array(String($0).utf8) } }
        func list(_ values: [Bytes]) -> Bytes { Array(values.joined(separator: [UInt8(ascii: " ")])) }
        let all: [(StaticString, Bytes?)] = [
            ("id", name), ("host", host), ("pid", number(process)), ("state", Array(state.utf8)),
            ("slots", number(slots)), ("busy", number(busy)), ("queues", list(queues)), ("rss", number(residentBytes)),
            ("last_beat", number(lastBeat)), ("started", number(started)), ("completed", number(completed)),
            ("failed", number(failed)), ("tasks", list(tasks.map(\.text))), ("lib_name", library),
            ("lib_version", libraryVersion),
        ]
        return all.compactMap { name, value in value.map { (name, $0) } }
    }
}

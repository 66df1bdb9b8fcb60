import MartletEngine
import MartletProtocol
import MartletStorage

extension Look {
    /// One page of SCAN; `0` begins and ends.
    struct Page {
        var next: Bytes
        var keys: [Bytes]
    }

    /// The reserved keys that are listed: all but the tasks.
    func namedKeys(_ engine: borrowing Engine) -> [Bytes] {
        var keys = ["@events", "@queues"] + TaskState.allCases.map { "@metrics:tasks:state:\($0.name.lowercased())" }
        keys.sort()
        var all = keys.map { Array($0.utf8) }
        for name in engine.queueNames {
            for view in ReservedKey.View.allCases {
                all.append(Array("@queue:".utf8) + name + Array(":\(view.rawValue)".utf8))
            }
        }
        for worker in engine.workerNames { all.append(Array("@worker:".utf8) + worker) }
        return all
    }

    /// All keys that match, but no tasks.
    func keys<A>(
        _ pattern: Glob, _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws -> [Bytes] {
        if pattern.isReserved { return namedKeys(engine).filter(pattern.matches) }
        let page = try engine.texts(
            from: 0, limit: InspectionLimits.keys, bytes: InspectionLimits.keysBytes, now: now, in: transaction)
        guard page.next == nil else {
            throw CommandError(.error, "there is more than KEYS looks through; walk the keys with SCAN")
        }
        return page.keys.filter(pattern.matches)
    }

    /// Plain keys; the cursor is where the next page begins.
    private func scanTexts<A>(
        from position: UInt64, _ pattern: Glob?, _ count: Int, _ type: String?, _ engine: borrowing Engine,
        _ transaction: borrowing Transaction<A>
    ) throws -> Page {
        let page = try engine.texts(
            from: position, limit: count, bytes: InspectionLimits.scanBytes, now: now, in: transaction)
        let isAsked = type == nil || type == "string"
        let keys = isAsked ? page.keys.filter { pattern?.matches($0) ?? true } : []
        return Page(next: Array(String(page.next ?? 0).utf8), keys: keys)
    }

    /// Without a pattern that begins with @, plain keys. Of the reserved ones the named keys come on the first page,
    /// then the tasks in the order of their addition; the cursor is the sequence of the task that comes next.
    func scan<A>(
        _ cursor: Bytes, _ pattern: Glob?, _ count: Int, _ type: String?, _ engine: borrowing Engine,
        _ transaction: borrowing Transaction<A>
    ) throws -> Page {
        guard let position = UInt64(String(decoding: cursor, as: UTF8.self)) else {
            throw CommandError(.error, "invalid cursor")
        }
        guard let pattern, pattern.isReserved else {
            return try scanTexts(from: position, pattern, count, type, engine, transaction)
        }
        var keys: [Bytes] = []
        if position == 0 {
            for key in namedKeys(engine) where pattern.matches(key) {
                if type == nil || type == ReservedKey(key)?.type { keys.append(key) }
            }
        }
        guard let range = Self.sequences(pattern), position <= range.upperBound else {
            return Page(next: [UInt8(ascii: "0")], keys: keys)
        }
        let from = max(position, range.lowerBound)
        var (ids, next) = try engine.taskIDs(from: from, limit: count, in: transaction)
        if next.map({ $0 > range.upperBound }) ?? false { next = nil }
        if type == nil || type == "hash" {
            for id in ids {
                let key = Array("@task:".utf8) + id.text
                if pattern.matches(key) { keys.append(key) }
            }
        }
        return Page(next: Array(String(next ?? 0).utf8), keys: keys)
    }

    /// The sequences of the tasks whose keys may match: a search by the beginning of an id looks at no others. `nil`:
    /// no task's key does.
    private static func sequences(_ pattern: Glob) -> ClosedRange<UInt64>? {
        let (head, prefix) = (Array("@task:".utf8), pattern.prefix)
        guard prefix.count > head.count else { return head.starts(with: prefix) ? 0...(.max) : nil }
        return prefix.starts(with: head) ? TaskID.sequences(prefix: prefix.dropFirst(head.count)) : nil
    }
}

import MartletProtocol
import MartletStorage

/// Where a task's log stands. Its lines lie in chunks of about 4 KiB, each under the number of its first line.
///
///     next u64 │ chunk u64 │ chunk bytes u32 │ bytes u32
struct LogHead {
    /// The number of the next line; the first has 1.
    var next: UInt64 = 1
    /// The number of the newest chunk's first line; 0: there is none.
    var chunk: UInt64 = 0
    /// Bytes of the newest chunk.
    var chunkBytes = 0
    /// Bytes of all chunks.
    var bytes = 0

    /// Past it a chunk takes no more lines.
    static let chunkSize = 4_096

    /// What a line counts for.
    static func size(_ line: Bytes) -> Int { line.count + 16 }

    init() {}

    init(from record: inout RecordReader) {
        next = record.uint64()
        chunk = record.uint64()
        chunkBytes = Int(record.uint32())
        bytes = Int(record.uint32())
    }

    func write(to record: inout RecordWriter) {
        record.uint64(next)
        record.uint64(chunk)
        record.uint32(UInt32(chunkBytes))
        record.uint32(UInt32(bytes))
    }
}

extension Engine {
    /// Lines a page of TASK.LOGS looks at.
    private static let pageLimit = 10_000

    mutating func log(
        _ request: LogRequest, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Answer {
        if let answer = try repeated(request.request, now, transaction) { return answer }
        switch try hold(request.id, request.token, now, transaction) {
        case .lost(_, let refusal): return .refused(refusal)
        case .held(let sequence):
            guard var state = try state(sequence, .active, transaction) else {
                return .refused(unknownTask(request.id))
            }
            if !state.hasLog {
                state.hasLog = true
                let logged = state
                try transaction.put(Tables.states, Phase.active.key(sequence)) { logged.write(to: &$0) }
            }
            let lines = request.lines.map {
                TaskLogLine(at: now, attempt: state.attempt, line: Self.cut($0, Limits.logLine))
            }
            try append(lines, to: sequence, transaction)
            return remember(request.request, .ok)
        }
    }

    private func append(
        _ lines: [TaskLogLine], to sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        var head = try transaction.read(Tables.logs, logKey(sequence, 0)) { LogHead(from: &$0) } ?? LogHead()
        var open: [TaskLogLine] = []
        if head.chunk > 0 {
            open = try transaction.read(Tables.logs, logKey(sequence, head.chunk)) { Self.lines(from: &$0) } ?? []
        }
        for line in lines {
            let size = LogHead.size(line.line)
            if head.chunk == 0 || head.chunkBytes + size > LogHead.chunkSize {
                if head.chunk > 0 { try store(open, sequence, head.chunk, transaction) }
                (open, head.chunk, head.chunkBytes) = ([], head.next, 0)
            }
            open.append(line)
            head.next += 1
            head.chunkBytes += size
            head.bytes += size
        }
        try store(open, sequence, head.chunk, transaction)
        try trim(sequence, &head, transaction)
        let moved = head
        try transaction.put(Tables.logs, logKey(sequence, 0)) { moved.write(to: &$0) }
    }

    /// Past the bound the oldest chunks go.
    private func trim(
        _ sequence: UInt64, _ head: inout LogHead, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        while head.bytes > Limits.log {
            let from = logKey(sequence, 1)
            guard let oldest = try transaction.first(Tables.logs, from: from, prefix: taskKey(sequence)),
                let lines = try transaction.take(Tables.logs, oldest.key, { Self.lines(from: &$0) })
            else { return }
            head.bytes -= lines.reduce(0) { $0 + LogHead.size($1.line) }
        }
    }

    /// `n u32 │ n × (at i64 │ attempt i64 │ line)`
    private func store(
        _ lines: [TaskLogLine], _ sequence: UInt64, _ chunk: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.put(Tables.logs, logKey(sequence, chunk)) { record in
            record.uint32(UInt32(lines.count))
            for line in lines {
                record.int64(line.at)
                record.int64(line.attempt)
                record.bytes(line.line)
            }
        }
    }

    private static func lines(from record: inout RecordReader) -> [TaskLogLine] {
        var lines: [TaskLogLine] = []
        for _ in 0..<record.uint32() where record.left > 0 {
            lines.append(TaskLogLine(at: record.int64(), attempt: record.int64(), line: record.bytes()))
        }
        return lines
    }

    /// A page of a task's lines.
    func logs<A>(
        _ request: LogsRequest, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Answer {
        guard let id = request.id, let sequence = sequence(id) else { return .refused(unknownTask(request.id)) }
        guard try isKnown(sequence, transaction) else {
            return .refused(try missing(sequence, id, transaction))
        }
        var found: [TaskLogLine] = []
        var (looked, next) = (0, UInt64(0))
        let start = try chunk(of: request.cursor, sequence, transaction)
        try transaction.scanRecords(Tables.logs, from: start, prefix: taskKey(sequence)) { key, record in
            var number = Self.lineNumber(key)
            for line in Self.lines(from: &record) {
                if number >= request.cursor {
                    guard found.count < request.count, looked < Self.pageLimit else {
                        next = number
                        return false
                    }
                    looked += 1
                    if request.attempt.map({ $0 == line.attempt }) ?? true { found.append(line) }
                }
                number += 1
            }
            return true
        }
        return .logLines(next: next, found)
    }

    /// The key of the chunk that has line `number`, or of the first one.
    private func chunk<A>(
        of number: UInt64, _ sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> KeyBytes {
        var found = logKey(sequence, 1)
        try transaction.scan(Tables.logs, from: found, prefix: taskKey(sequence)) { key, _ in
            guard Self.lineNumber(key) <= number else { return false }
            found = key
            return true
        }
        return found
    }

    private static func lineNumber(_ key: KeyBytes) -> UInt64 {
        var reader = key.reader
        _ = reader.next(UInt64.self)
        return reader.next()
    }

    /// A task's log goes with its record.
    func removeLog(
        _ sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        while let entry = try transaction.first(Tables.logs, from: taskKey(sequence), prefix: taskKey(sequence)) {
            try transaction.delete(Tables.logs, entry.key)
        }
    }
}

import MartletProtocol
import MartletStorage

/// An answer that a blind retry gets again.
enum RememberedAnswer {
    case ok
    case id(UInt64)
    case added([AddedRow])
    case ids([UInt64])
    case many([CommandError?])
    case failed(FailedAttempt)
    case touched(deadline: Timestamp, cancel: Bool)
    case state(TaskState)
    case count(Int64)
    case operation(UInt64)
    case taken(TakeAnswer)
    case allowed(BreakerPhase)
    case beat(BeatAnswer)
    /// The leases a RESERVE gave.
    case reserved([LeaseName])
    /// An acknowledgement and the leases its NEXT gave.
    case acknowledged([LeaseName])

    struct AddedRow {
        var sequence: UInt64
        /// `nil`: its record was gone.
        var state: TaskState?
        var created: Bool
        var runAt: Timestamp?
    }

    struct LeaseName {
        var sequence: UInt64
        var token: Int64
    }
}

extension RememberedAnswer {
    /// `kind u8 │ fields`, see the cases
    func write(to record: inout RecordWriter) {
        switch self {
        case .ok: record.uint8(1)
        case .id(let sequence):
            record.uint8(2)
            record.uint64(sequence)
        case .added(let rows):
            record.uint8(3)
            record.uint32(UInt32(rows.count))
            for row in rows {
                record.uint64(row.sequence)
                record.uint8(row.state?.rawValue ?? 0)
                record.uint8(row.created ? 1 : 0)
                record.int64(row.runAt ?? .min)
            }
        case .ids(let sequences):
            record.uint8(4)
            record.uint32(UInt32(sequences.count))
            for sequence in sequences { record.uint64(sequence) }
        case .many(let outcomes):
            record.uint8(5)
            record.uint32(UInt32(outcomes.count))
            for outcome in outcomes { Self.write(outcome, to: &record) }
        case .failed(let attempt):
            record.uint8(6)
            record.uint8(attempt.state.rawValue)
            record.int64(attempt.attempt)
            record.int64(attempt.retriesLeft)
            record.int64(attempt.runAt ?? .min)
        case .touched(let deadline, let cancel):
            record.uint8(7)
            record.int64(deadline)
            record.uint8(cancel ? 1 : 0)
        case .state(let state):
            record.uint8(10)
            record.uint8(state.rawValue)
        case .count(let count):
            record.uint8(11)
            record.int64(count)
        case .operation(let number):
            record.uint8(12)
            record.uint64(number)
        case .taken(let answer):
            record.uint8(13)
            answer.write(to: &record)
        case .allowed(let phase):
            record.uint8(14)
            record.uint8(phase.rawValue)
        case .beat(let beat):
            record.uint8(15)
            record.uint8(beat.order.rawValue)
            for ids in [beat.cancel, beat.lost] {
                record.uint32(UInt32(ids.count))
                for id in ids { Self.write(id, to: &record) }
            }
        case .reserved(let leases): Self.write(8, leases, to: &record)
        case .acknowledged(let leases): Self.write(9, leases, to: &record)
        }
    }

    /// In full: a beat may name a task that never was.
    private static func write(_ id: TaskID, to record: inout RecordWriter) {
        record.bytes(Bytes(id.description.utf8))
    }

    private static func id(_ record: inout RecordReader) -> TaskID {
        let id = TaskID(record.bytes())
        if id == nil { record.fail() }
        return id ?? TaskID(sequence: 0, check: 0)
    }

    private static func write(_ outcome: CommandError?, to record: inout RecordWriter) {
        record.bytes(Bytes((outcome?.code.rawValue ?? "").utf8))
        record.bytes(Bytes((outcome?.message ?? "").utf8))
    }

    private static func write(_ kind: UInt8, _ leases: [LeaseName], to record: inout RecordWriter) {
        record.uint8(kind)
        record.uint32(UInt32(leases.count))
        for lease in leases {
            record.uint64(lease.sequence)
            record.int64(lease.token)
        }
    }

    init(from record: inout RecordReader) {
        switch record.uint8() {
        case 1: self = .ok
        case 2: self = .id(record.uint64())
        case 3: self = .added(Self.list(&record, Self.row))
        case 4: self = .ids(Self.list(&record) { $0.uint64() })
        case 5: self = .many(Self.list(&record, Self.outcome))
        case 6:
            let state = TaskState(rawValue: record.uint8()) ?? .dead
            let attempt = record.int64()
            let left = record.int64()
            let runAt = record.int64()
            let due = runAt == .min ? nil : runAt
            self = .failed(.init(state: state, attempt: attempt, retriesLeft: left, runAt: due))
        case 7: self = .touched(deadline: record.int64(), cancel: record.uint8() == 1)
        case 8: self = .reserved(Self.list(&record, Self.lease))
        case 9: self = .acknowledged(Self.list(&record, Self.lease))
        case 10: self = .state(TaskState(rawValue: record.uint8()) ?? .pending)
        case 11: self = .count(record.int64())
        case 12: self = .operation(record.uint64())
        case 13: self = .taken(TakeAnswer(from: &record))
        case 15:
            let order = WorkerOrder(rawValue: record.uint8()) ?? .run
            let cancel = Self.list(&record, Self.id)
            self = .beat(BeatAnswer(order: order, cancel: cancel, lost: Self.list(&record, Self.id)))
        case 14: self = .allowed(BreakerPhase(rawValue: record.uint8()) ?? .closed)
        default:
            record.fail()
            self = .ok
        }
    }

    private static func list<T>(_ record: inout RecordReader, _ item: (inout RecordReader) -> T) -> [T] {
        let count = record.uint32()
        var items: [T] = []
        for _ in 0..<count where record.left > 0 { items.append(item(&record)) }
        return items
    }

    private static func row(_ record: inout RecordReader) -> AddedRow {
        let sequence = record.uint64()
        let state = TaskState(rawValue: record.uint8())
        let created = record.uint8() == 1
        let runAt = record.int64()
        return AddedRow(sequence: sequence, state: state, created: created, runAt: runAt == .min ? nil : runAt)
    }

    private static func outcome(_ record: inout RecordReader) -> CommandError? {
        let code = String(decoding: record.bytes(), as: UTF8.self)
        let message = String(decoding: record.bytes(), as: UTF8.self)
        return ErrorCode(rawValue: code).map { CommandError($0, message) }
    }

    private static func lease(_ record: inout RecordReader) -> LeaseName {
        LeaseName(sequence: record.uint64(), token: record.int64())
    }
}

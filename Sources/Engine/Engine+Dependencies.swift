public import MartletProtocol
import MartletStorage

/// What a task is added AFTER.
public struct Dependencies: Hashable, Sendable {
    /// What happens to it when one of them ends as DLQ, CANCELLED or EXPIRED, or is deleted. The raw value is stored.
    public enum OnDead: UInt8, Sendable, CaseIterable {
        /// It waits: a retry may still complete the other. When the other's record goes it is cancelled.
        case wait = 1
        /// It is cancelled.
        case cancel = 2
        /// It runs nevertheless.
        case run = 3
    }

    /// `nil`: the text was not a task id.
    public var ids: [TaskID?]
    public var onDead: OnDead

    public init(_ ids: [TaskID?], onDead: OnDead = .wait) { (self.ids, self.onDead) = (ids, onDead) }
}

/// What a parked task waits for: stored under its sequence.
///
///     on dead u8 │ n u32 │ n × sequence u64
struct OpenDependencies {
    var onDead: Dependencies.OnDead
    /// Those that have not ended as it wants them to.
    var open: [UInt64]

    init(onDead: Dependencies.OnDead, open: [UInt64]) { (self.onDead, self.open) = (onDead, open) }

    func write(to record: inout RecordWriter) {
        record.uint8(onDead.rawValue)
        record.uint32(UInt32(open.count))
        for sequence in open { record.uint64(sequence) }
    }

    init(from record: inout RecordReader) {
        let onDead = Dependencies.OnDead(rawValue: record.uint8())
        if onDead == nil { record.fail() }
        self.onDead = onDead ?? .wait
        open = []
        for _ in 0..<record.uint32() where record.left > 0 { open.append(record.uint64()) }
    }
}

extension OpenDependencies {
    /// A damaged record is put aside and written anew from `dependents`, which names all that it waited for. What is to
    /// happen if one of those dies is lost: it waits then.
    static func rebuild(
        of sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        var open: [UInt64] = []
        try transaction.scan(Tables.dependents, from: KeyBytes(), prefix: KeyBytes()) { key, _ in
            var reader = key.reader
            let (other, dependent): (UInt64, UInt64) = (reader.next(), reader.next())
            if dependent == sequence { open.append(other) }
            return true
        }
        guard try transaction.quarantine(Tables.dependencies, taskKey(sequence), in: Tables.quarantine) else {
            return false
        }
        let rebuilt = OpenDependencies(onDead: .wait, open: open)
        try transaction.put(Tables.dependencies, taskKey(sequence)) { rebuilt.write(to: &$0) }
        return true
    }
}

/// What the dependents of a task are told. In a timer: `state u8`, and 0x100 if its record is gone.
struct Tidings {
    var state: TaskState
    /// It completes no more: who waits for that waits no longer.
    var isGone: Bool

    init(_ state: TaskState, isGone: Bool) { (self.state, self.isGone) = (state, isGone) }

    var number: UInt32 { UInt32(state.rawValue) | (isGone ? 0x100 : 0) }

    init?(_ number: UInt32) {
        guard let state = TaskState(rawValue: UInt8(truncatingIfNeeded: number)) else { return nil }
        (self.state, isGone) = (state, number & 0x100 != 0)
    }
}

/// `the other's sequence u64 │ the dependent's sequence u64`
func dependentKey(_ other: UInt64, _ sequence: UInt64) -> KeyBytes {
    var key = taskKey(other)
    key.append(sequence)
    return key
}

/// AFTER: a task is parked until others have ended.
extension Engine {
    /// Dependents told of an end in its own transaction; the others follow in slices.
    static let dependentsAtOnce = 100
    /// How far ends that end others go in one transaction.
    static let deepestEnd = 16

    /// Why a task cannot be added after these; what is due for them has happened then.
    mutating func refusal(
        of after: Dependencies?, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> CommandError? {
        guard let after else { return nil }
        for id in after.ids {
            guard let sequence = sequence(id) else { return unknownTask(id) }
            try settle(sequence, now, transaction)
            guard try isKnown(sequence, transaction) else { return try missing(sequence, id, transaction) }
        }
        return nil
    }

    /// Parks a task that was just stored until those it comes after have ended; one that ended badly may end it now.
    /// - Returns: its state; `nil`: there is nothing to wait for.
    mutating func park(
        _ sequence: UInt64, _ task: TaskRecord, _ after: Dependencies, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> TaskState? {
        var dependencies = OpenDependencies(onDead: after.onDead, open: [])
        var culprit: UInt64?
        for other in Set(after.ids.compactMap { $0?.sequence }).sorted() {
            var ended: TaskState?
            var isKnown = true
            if leases[other] == nil {
                // One that was there a moment ago was replaced by what is added with this task.
                isKnown = try self.isKnown(other, transaction)
                ended = isKnown ? try state(other, .ended, transaction)?.state : .cancelled
            }
            guard let ended else {
                dependencies.open.append(other)
                continue
            }
            if ended == .completed || after.onDead == .run { continue }
            let isHopeless = after.onDead == .cancel || !isKnown
            if isHopeless { culprit = culprit ?? other } else { dependencies.open.append(other) }
        }
        guard culprit != nil || !dependencies.open.isEmpty else { return nil }
        let key = try enterParked(sequence, task, dependencies, transaction)
        guard let culprit else { return .blocked }
        try cancelWaiting(key, WaitingKey.Flag.state, task, reason(culprit), now, transaction)
        return .cancelled
    }

    private func reason(_ culprit: UInt64) -> Bytes { Bytes("\(broker.id(culprit)) did not complete".utf8) }

    /// A new task does not stand in the line yet.
    mutating func enterParked(
        _ sequence: UInt64, _ task: TaskRecord, _ dependencies: OpenDependencies?,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> WaitingKey {
        var state = StateRecord(of: task)
        state.state = .blocked
        let key = try storeParked(sequence, state, transaction)
        if let dependencies {
            try transaction.put(Tables.dependencies, taskKey(sequence)) { dependencies.write(to: &$0) }
        }
        for other in dependencies?.open ?? [] {
            try transaction.put(Tables.dependents, dependentKey(other, sequence), flags: 0)
        }
        change(task.queue) {
            $0.totalAdded += 1
            $0.count(.blocked, 1)
        }
        tell(task.queue, sequence, type: task.type, from: nil, to: .blocked)
        return key
    }

    func dependencies<A>(
        of sequence: UInt64, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> OpenDependencies? {
        try transaction.read(Tables.dependencies, taskKey(sequence)) { OpenDependencies(from: &$0) }
    }

    /// A parked task leaves its place: nobody needs to tell it anything any more.
    func forgetDependencies(
        of sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let key = taskKey(sequence)
        guard let gone = try transaction.take(Tables.dependencies, key, { OpenDependencies(from: &$0) }) else { return }
        for other in gone.open { try transaction.delete(Tables.dependents, dependentKey(other, sequence)) }
    }

    /// A task has ended: those that waited for it go on, or end too. `isGone`: nothing can bring it back.
    mutating func tellDependents(
        of sequence: UInt64, _ state: TaskState, isGone: Bool = false, at now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        // Where nobody uses AFTER, this is all it costs.
        guard try transaction.count(Tables.dependents) > 0 else { return }
        try tellDependents(of: sequence, behind: 0, Tidings(state, isGone: isGone), at: now, transaction)
    }

    mutating func tellMoreDependents(
        _ timer: TimerKey, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard let tidings = Tidings(timer.queue) else { return }
        try tellDependents(of: timer.sequence, behind: timer.hash, tidings, at: timer.at, transaction)
    }

    private mutating func tellDependents(
        of sequence: UInt64, behind last: UInt64, _ tidings: Tidings, at now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let most = endDepth < Self.deepestEnd ? min(Self.dependentsAtOnce, waveLeft) : 0
        var waiting: [UInt64] = []
        var isMore = false
        try transaction.scan(Tables.dependents, from: dependentKey(sequence, last), prefix: taskKey(sequence)) {
            (key, _) throws(StorageError) -> Bool in
            var reader = key.reader
            _ = reader.next(UInt64.self)
            let dependent: UInt64 = reader.next()
            if dependent == last { return true }
            isMore = waiting.count == most
            if !isMore { waiting.append(dependent) }
            return !isMore
        }
        inWave += waiting.count
        endDepth += 1
        defer { endDepth -= 1 }
        for dependent in waiting { try tell(dependent, that: sequence, tidings, at: now, transaction) }
        guard isMore else { return }
        let timer = TimerKey(
            at: now, kind: .dependents, sequence: sequence, queue: tidings.number, hash: waiting.last ?? last)
        try transaction.put(Tables.timers, timer.bytes, flags: 0)
        timerBound = min(timerBound, now)
    }

    private mutating func tell(
        _ sequence: UInt64, that other: UInt64, _ tidings: Tidings, at now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        guard var dependencies = try dependencies(of: sequence, transaction),
            let task = try task(sequence, transaction), let place = try waitingPlace(of: sequence, task, transaction)
        else { return }
        // The other's end may be found before what is due by then. At the same instant it expires, however many were
        // told before it.
        if let expiry = try expiry(of: sequence, task, transaction), expiry <= now {
            return try expireWaiting(place.key, place.flags, at: expiry, now, transaction)
        }
        if tidings.state != .completed {
            switch dependencies.onDead {
            case .wait where !tidings.isGone: return
            case .wait, .cancel: return try cancelWaiting(place.key, place.flags, task, reason(other), now, transaction)
            case .run: break
            }
        }
        dependencies.open.removeAll { $0 == other }
        let left = dependencies
        try transaction.delete(Tables.dependents, dependentKey(other, sequence))
        try transaction.put(Tables.dependencies, taskKey(sequence)) { left.write(to: &$0) }
        guard left.open.isEmpty else { return }
        if let order = orderPlace(task), try predecessor(of: sequence, in: order, transaction) != nil {
            // From now on it waits for those alone.
            return try forgetDependencies(of: sequence, transaction)
        }
        try unpark(place.key, place.flags, task, now, transaction)
    }

    /// A parked task takes its place in the line: since `end`, when the other ended, or since it was added, if that was
    /// late in being found.
    mutating func unpark(
        _ key: WaitingKey, _ flags: UInt8, _ task: TaskRecord, _ end: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        let now = max(end, task.created)
        var state = try withdraw(key, flags, task, transaction)
        let isLater = state.runAt > now
        let event: TaskEvent = isLater ? .unblockLater : .unblock
        state.state = count(key.queue, .blocked, event, of: key.sequence, type: task.type)
        let row = HistoryRow(.unblock, of: state, from: .blocked, to: state.state, at: now)
        try note(row, key.sequence, &state, transaction)
        try waitAgain(key.sequence, state, isLater: isLater, at: now, transaction)
    }
}

import MartletProtocol
import MartletStorage

/// A place where the tables do not agree with each other, with the counters or with a checksum.
public struct Disagreement: Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// Its checksum is wrong or it does not decode.
        case damagedRecord = "damaged record"
        case waitingWithoutTask = "waiting entry without a task"
        /// A waiting entry where its task does not stand, or with wrong flags.
        case misplacedWaiting = "misplaced waiting entry"
        /// A task that neither waits nor is active nor has ended.
        case taskNowhere = "task that is nowhere"
        case stateWithoutTask = "state without a task"
        /// Another state than the phase it lies under, an active one without a token, or a second one.
        case stateOutOfPlace = "state out of place"
        case timerMissing = "missing timer"
        case timerDangling = "timer for nothing"
        case endedUnlisted = "ended task that is not listed"
        case endedDangling = "listed as ended but is not"
        case bodyMissing = "missing body"
        case bodyDangling = "body of no task"
        case historyDangling = "history of no task"
        case logMissing = "missing log"
        case logDangling = "log of no task"
        case uniqueDangling = "UNIQUE key of nobody"
        case uniqueMissing = "UNIQUE key that is not held"
        case dependencyDangling = "dependency of a task that is not parked"
        case dependencyMissing = "dependency nobody will tell of"
        case orderDangling = "place in an order of a task that is not in it"
        case orderMissing = "task that is missing in its order"
        case memberDangling = "member or follower of no batch"
        case memberMissing = "task its batch does not know"
        /// Its counts, or whether it is over.
        case batchWrong = "wrong numbers of a batch"
        case lineDangling = "place in a line of a task that does not stand there"
        case lineMissing = "task that is missing in its line"
        case turnDangling = "turn of a group without tasks"
        case turnMissing = "group that never has its turn"
        case nameMissing = "missing name of a type"
        case queueMissing = "missing record of a queue"
        case counterWrong = "wrong counter"
        case kindWrong = "wrong count of a kind of error"
        /// The broker's own numbers are behind those that were given out.
        case numbersBehind = "numbers behind"
    }

    public let kind: Kind
    /// What it is about, in one line.
    public let text: String
    /// What brings the tables to agree again; empty: nothing can be derived.
    let repairs: [Repair]

    public var isRepairable: Bool { !repairs.isEmpty }
}

/// One change of the tables.
enum Repair: Sendable {
    case delete(Table, KeyBytes)
    case entry(Table, KeyBytes, flags: UInt8)
    /// Moves a record out of the way, but keeps it.
    case quarantine(Table, KeyBytes)
    /// Everything of a task that cannot be served is moved out of the way.
    case putAside(UInt64)
    case state(Phase, UInt64, StateRecord)
    /// The holds of a queue's UNIQUE keys with one hash.
    case unique(UInt32, UInt64, UniqueBucket)
    case kind(KeyBytes, DeadKind)
    /// A damaged record of what a task waits for.
    case dependencies(UInt64)
    case batch(UInt64, BatchRecord)
    case group(KeyBytes, GroupTurn)
    case typeName(UInt32, Bytes)
    case queue(QueueState)
    case broker(BrokerRecord)

    func apply(_ transaction: borrowing Transaction<Writing>) throws(StorageError) {
        switch self {
        case .delete(let table, let key): try transaction.delete(table, key)
        case .entry(let table, let key, let flags): try transaction.put(table, key, flags: flags)
        case .quarantine(let table, let key): try transaction.quarantine(table, key, in: Tables.quarantine)
        case .putAside(let sequence): try Self.putAside(sequence, transaction)
        case .state(let phase, let sequence, let state):
            try transaction.put(Tables.states, phase.key(sequence)) { state.write(to: &$0) }
        case .unique(let queue, let hash, let bucket):
            let key = UniqueBucket.key(queue, hash)
            try transaction.delete(Tables.unique, key)
            if !bucket.holds.isEmpty { try transaction.put(Tables.unique, key) { bucket.write(to: &$0) } }
        case .group(let key, let group): try transaction.put(Tables.groups, key) { group.write(to: &$0) }
        case .dependencies(let sequence): _ = try OpenDependencies.rebuild(of: sequence, transaction)
        case .kind(let key, let kind): try transaction.put(Tables.kinds, key) { kind.write(to: &$0) }
        case .batch(let number, let batch):
            try transaction.put(Tables.batches, taskKey(number)) { batch.write(to: &$0) }
        case .typeName(let number, let name):
            try transaction.put(Tables.names, Names.key(.type, number)) { $0.bytes(name) }
        case .queue(let queue): try transaction.put(Tables.queues, queueKey(queue.id)) { queue.write(to: &$0) }
        case .broker(let broker):
            try transaction.put(Tables.queues, queueKey(0), version: BrokerRecord.format) { broker.write(to: &$0) }
        }
    }

    private static func putAside(
        _ sequence: UInt64, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) {
        try transaction.quarantine(Tables.tasks, taskKey(sequence), in: Tables.quarantine)
        for phase in Phase.allCases {
            try transaction.quarantine(Tables.states, phase.key(sequence), in: Tables.quarantine)
        }
        for kind in [BodyKind.payload, .result] {
            try transaction.quarantine(Tables.bodies, kind.key(sequence), in: Tables.quarantine)
        }
    }
}

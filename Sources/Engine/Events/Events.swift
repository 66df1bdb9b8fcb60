import MartletProtocol
import MartletStorage

/// Who wants to know what happens to tasks. Nobody: nothing is noted.
struct Events {
    /// Somebody listens.
    var isHeard = false
    /// How many moves the stream keeps at least, once it has them; 0: none are kept.
    var kept: Int64 = 0
    /// What the open group did.
    var noted: [Noted] = []
    /// The breakers among it.
    var breakers: [Bytes] = []
    /// The closed groups' moves, for those who listen.
    var told: [Event] = []

    struct Noted {
        /// 0: it is a breaker.
        var sequence: UInt64
        /// Its number; which of `breakers`.
        var queue: UInt32
        var type: UInt32
        var states: MoveGroup.States
    }

    var isOn: Bool { isHeard || kept > 0 }

    /// The open group is durable.
    mutating func closeGroup() {
        guard !noted.isEmpty else { return }
        noted.removeAll(keepingCapacity: noted.count <= MoveGroup.most)
        breakers.removeAll()
    }

    /// The open group is given up.
    mutating func dropGroup(_ known: Int) {
        told.removeLast(told.count - known)
        noted.removeAll()
        breakers.removeAll()
    }
}

extension Engine {
    /// Records that one group takes out of the stream at most.
    private static let trimmed = 64

    /// Says who wants to know what happens: listeners, and how many moves the stream keeps (0: none).
    public mutating func tellMoves(isHeard: Bool) { events.isHeard = isHeard }

    public mutating func keepMoves(_ count: Int64) { events.kept = count }

    /// The moves of the groups that were committed since the last call.
    public mutating func takeMoves() -> [Event] {
        let told = events.told
        events.told.removeAll()
        return told
    }

    @inline(__always)
    mutating func tell(_ queue: UInt32, _ sequence: UInt64, type: UInt32, from: TaskState?, to: TaskState) {
        // The tasks of a deleted queue are no more, whatever the bookkeeping still does to them.
        guard events.isOn, !isGone(queue) else { return }
        events.noted.append(.init(sequence: sequence, queue: queue, type: type, states: .init(from, to)))
    }

    /// A breaker may have come into another phase.
    mutating func tell(_ breaker: BreakerState, was before: BreakerPhase) {
        guard events.isOn, breaker.phase != before else { return }
        let index = UInt32(events.breakers.count)
        events.breakers.append(breaker.name)
        events.noted.append(.init(sequence: 0, queue: index, type: 0, states: .init(before, breaker.phase)))
    }

    /// The last move that was told, those of the open group included.
    func lastMove(now: Timestamp) -> MovePlace {
        guard !events.noted.isEmpty else { return MovePlace(at: broker.lastMoveAt, number: broker.lastMove) }
        return MovePlace(at: max(now, broker.lastMoveAt), number: broker.lastMove + UInt64(events.noted.count))
    }

    /// The group closes: its moves get their numbers and become records of the stream.
    mutating func sealMoves(_ now: Timestamp, _ transaction: borrowing Transaction<Writing>) throws(StorageError) {
        guard !events.noted.isEmpty else { return }
        broker.lastMoveAt = max(now, broker.lastMoveAt)
        var rest = events.noted[...]
        while !rest.isEmpty {
            let group = moveGroup(rest.prefix(MoveGroup.most))
            rest = rest.dropFirst(MoveGroup.most)
            broker.lastMove += UInt64(group.moves.count)
            if events.isHeard { events.told += self.events(of: group) }
            guard events.kept > 0 else { continue }
            broker.keptMoves += Int64(group.moves.count)
            try transaction.append(Tables.moves, group.key) { group.write(to: &$0) }
        }
        if events.kept > 0 { try trimMoves(transaction) }
    }

    private func moveGroup(_ noted: some Collection<Events.Noted>) -> MoveGroup {
        var group = MoveGroup(MovePlace(at: broker.lastMoveAt, number: broker.lastMove + 1))
        var indexes: [UInt32: UInt16] = [:]
        var last: (queue: UInt32, index: UInt16) = (0, 0)
        group.moves.reserveCapacity(noted.count)
        for move in noted {
            var name = UInt16(group.names.count)
            if move.sequence == 0 {
                group.names.append(events.breakers[Int(move.queue)])
            } else if move.queue == last.queue {
                name = last.index
            } else if let known = indexes[move.queue] {
                name = known
            } else {
                indexes[move.queue] = name
                group.names.append(toldName(move.queue))
            }
            if move.sequence != 0 { last = (move.queue, name) }
            group.moves.append(.init(sequence: move.sequence, type: move.type, name: name, states: move.states))
        }
        return group
    }

    /// A queue's name; of one that this group deleted, what it was.
    private func toldName(_ queue: UInt32) -> Bytes {
        let name = queueName(queue)
        return name.isEmpty ? undoLog.queues.first { $0.number == queue }?.before.name ?? [] : name
    }

    /// The oldest records go, each as a whole, while the rest is enough.
    private mutating func trimMoves(_ transaction: borrowing Transaction<Writing>) throws(StorageError) {
        for _ in 0..<Self.trimmed where broker.keptMoves > events.kept {
            guard let oldest = try transaction.first(Tables.moves, from: KeyBytes(), prefix: KeyBytes())?.key else {
                return broker.keptMoves = 0
            }
            let count = try moveCount(oldest, transaction)
            guard broker.keptMoves - count >= events.kept else { return }
            try transaction.delete(Tables.moves, oldest)
            broker.keptMoves -= count
        }
    }

    private func moveCount<A>(
        _ key: KeyBytes, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Int64 {
        do throws(StorageError) {
            return try transaction.read(Tables.moves, key) { record in
                let count = MoveGroup.count(in: &record)
                _ = record.rest()
                return count
            } ?? 0
        } catch {
            guard error.kind == .damaged else { throw error }
            return 0
        }
    }

    func events(of group: MoveGroup) -> [Event] {
        group.moves.enumerated().compactMap { index, move in
            let place = MovePlace(at: group.place.at, number: group.place.number + UInt64(index))
            let name = group.names[Int(move.name)]
            let states = move.states
            if move.sequence == 0 {
                guard let from = BreakerPhase(rawValue: states.from), let to = BreakerPhase(rawValue: states.to) else {
                    return nil
                }
                return .breaker(BreakerMove(place: place, name: name, from: from, to: to))
            }
            guard let to = TaskState(rawValue: states.to) else { return nil }
            let from = TaskState(rawValue: states.from)
            return .task(
                TaskMove(
                    place: place, id: broker.id(move.sequence), queue: name, type: types.name(move.type), from: from,
                    to: to))
        }
    }
}

internal import MartletEngine
internal import MartletProtocol
internal import MartletStorage

/// The stream of moves against what the model saw happen.
extension Simulation {
    /// Numbered without gaps up to the newest, not trimmed further than was said, and every state a task came into.
    func compareMoves(
        _ engine: borrowing Engine, _ transaction: borrowing Transaction<Reading>
    ) throws(StorageError) {
        guard finding == nil else { return }
        let moves = try engine.events(from: .first, to: .last, count: .max, in: transaction)
        let backwards = try engine.eventsBackwards(from: .first, to: .last, count: .max, in: transaction)
        let numbers = moves.map(\.place.number)
        let newest = engine.newestMove(now: now).number
        if moves != backwards.reversed() { return found("the stream reads otherwise backwards") }
        if moves.map(\.place) != moves.map(\.place).sorted() { return found("the stream is out of order") }
        if numbers != Array((newest + 1 - UInt64(numbers.count))..<(newest + 1)) { return found("moves are missing") }
        if engine.keptMoves != Int64(moves.count) { return found("the stream holds \(moves.count) moves, not as said") }
        if newest > UInt64(moves.count), moves.count < keptMoves { return found("the stream was trimmed too early") }
        if moves.count > keptMoves + 1_000 { return found("the stream is not trimmed") }
        var told: [TaskID: [TaskState]] = [:]
        for case .task(let move) in moves where move.to == .active || move.to.isEnded {
            told[move.id, default: []].append(move.to)
        }
        let isWhole = newest == UInt64(moves.count)
        if isWhole { compareBreakers(moves) }
        for (id, states) in isWhole ? model.moves : told {
            let (expected, observed) = (model.moves[id] ?? [], told[id] ?? [])
            // Its queue was removed before the bookkeeping saw that its time, or that of one before it, was over.
            if model.goneWithQueue.contains(id), [.expired, .cancelled].contains(expected.last),
                expected.dropLast().suffix(isWhole ? .max : states.count).elementsEqual(observed)
            {
                continue
            }
            guard isWhole ? expected != observed : Array(expected.suffix(states.count)) != observed else { continue }
            return found("task \(id) came into \(expected), the stream tells \(observed)")
        }
        if isWhole, let extra = told.keys.first(where: { model.moves[$0] == nil }) {
            found("the stream tells of \(extra), to which nothing happened")
        }
    }

    /// Each breaker goes from where it was, through the phases that it went through.
    private func compareBreakers(_ moves: [Event]) {
        var told: [Bytes: [BreakerPhase]] = [:]
        for case .breaker(let move) in moves {
            let before = told[move.name]?.last ?? .closed
            if move.from != before { return found("breaker \(readable(move.name)) was \(before), not \(move.from)") }
            told[move.name, default: []].append(move.to)
        }
        let phases = model.breakerPhases(now).filter { !$0.value.isEmpty }
        for name in Set(told.keys).union(phases.keys).sorted(by: { $0.lexicographicallyPrecedes($1) })
        where told[name] != phases[name] {
            let (expected, observed) = (phases[name] ?? [], told[name] ?? [])
            return found("breaker \(readable(name)) came into \(expected), the stream tells \(observed)")
        }
    }
}

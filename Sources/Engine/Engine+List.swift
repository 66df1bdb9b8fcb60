import MartletProtocol
import MartletStorage

/// TASK.LIST: a page of tasks out of the indexes there are. Reads only; what is due but not yet done is not seen.
extension Engine {
    /// Queues whose indexes are merged at a time.
    private static let block = 128

    func list<A>(
        _ request: ListRequest, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> Answer {
        if let refusal = request.refusal { return .refused(refusal) }
        let queue = request.queue.map { queueNumbers[$0] }
        let type = request.type.map { types.number($0) }
        if request.states.isEmpty { return .list(next: nil, tasks: []) }
        // What nobody ever named lists as empty.
        if case .some(.none) = queue { return .list(next: nil, tasks: []) }
        if case .some(.none) = type { return .list(next: nil, tasks: []) }
        var page = ListPage(request, queue: queue ?? nil, type: type ?? nil)
        let next =
            request.order == .added
            ? try listByAge(&page, now, transaction) : try listByTime(&page, now, transaction)
        return .list(next: next, tasks: page.views)
    }

    /// In the order of adding: few candidates are gathered from the indexes of their states, many are looked for among
    /// all tasks.
    private func listByAge<A>(
        _ page: inout ListPage, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> ListCursor? {
        let request = page.request
        let start = request.isReversed ? ListPlace.end : .start
        let from = request.cursor?.place ?? start
        if request.states != [.active], let gathered = try gather(&page, now, transaction) {
            return try list(gathered, from: from, &page, now, transaction)
        }
        var walk = ListWalk(isReversed: request.isReversed)
        try walk.add(request.states == [.active] ? .active : .tasks, from: from, transaction)
        var reached = from
        while !page.isFull {
            guard let place = try walk.next(transaction) else { return nil }
            reached = place
            try examine(place.sequence, &page, now, transaction)
        }
        return ListCursor(block: 0, place: reached)
    }

    private func list<A>(
        _ candidates: [UInt64], from: ListPlace, _ page: inout ListPage, _ now: Timestamp,
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> ListCursor? {
        var reached = from
        let isReversed = page.request.isReversed
        for sequence in isReversed ? candidates.reversed() : candidates {
            guard isReversed ? sequence < from.sequence : sequence > from.sequence else { continue }
            if page.isFull { return ListCursor(block: 0, place: reached) }
            reached = ListPlace(time: 0, sequence: sequence)
            try examine(sequence, &page, now, transaction)
        }
        return nil
    }

    /// By due time or by the time of the end, block after block of queues.
    private func listByTime<A>(
        _ page: inout ListPage, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> ListCursor? {
        let isReversed = page.request.isReversed
        let start = isReversed ? ListPlace.end : .start
        let last = page.queue == nil ? max(0, (queues.count - 1) / Self.block) : 0
        var block = page.request.cursor?.block ?? (isReversed ? last : 0)
        var reached = page.request.cursor?.place ?? start
        while (0...last).contains(block) {
            var walk = walk(page.request, now)
            for source in try sources(&page, block, now, transaction) {
                try walk.add(source, from: reached, transaction)
            }
            while !page.isFull, let place = try walk.next(transaction) {
                reached = place
                try examine(place.sequence, &page, now, transaction)
            }
            if page.isFull { return ListCursor(block: block, place: reached) }
            block += isReversed ? -1 : 1
            reached = start
        }
        return nil
    }

    /// A walk over due times stops at, or begins behind, now where that tells PENDING from SCHEDULED.
    private func walk(_ request: ListRequest, _ now: Timestamp) -> ListWalk {
        let isPending = request.states.contains(.pending)
        let isScheduled = request.states.contains(.scheduled)
        guard request.order == .run, isPending != isScheduled else { return ListWalk(isReversed: request.isReversed) }
        return isPending
            ? ListWalk(isReversed: request.isReversed, before: ListPlace(time: now + 1, sequence: 0))
            : ListWalk(isReversed: request.isReversed, after: ListPlace(time: now, sequence: .max))
    }

    /// The indexes that hold what the page may tell, of one block of queues.
    private func sources<A>(
        _ page: inout ListPage, _ block: Int, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [ListSource] {
        let first = block * Self.block
        let chosen = page.queue.map { [queue($0)] } ?? Array(queues[first..<min(first + Self.block, queues.count)])
        var sources: [ListSource] = []
        for queue in chosen { sources += try self.sources(&page, queue, now, transaction) }
        return sources
    }

    private func sources<A>(
        _ page: inout ListPage, _ queue: QueueState, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [ListSource] {
        let states = page.request.states
        var sources: [ListSource] = []
        let isStanding = states.contains(.pending) || states.contains(.scheduled)
        if isStanding {
            for index in 0..<WaitingRange.count where queue.waiting[index] > 0 {
                let range = WaitingRange(index: index)
                guard page.request.state != .failed || range.lane == .retry else { continue }
                for limits in [0] + limitLines.sets(of: queue.id, range) {
                    if states == [.pending], try isClosed(limits, queue.id, &page.look, now, transaction) { continue }
                    sources.append(.waiting(queue.id, range, limits))
                }
            }
        }
        if states.contains(.blocked), queue[.blocked] > 0 {
            for priority in 1...10 {
                sources.append(.waiting(queue.id, .init(priority: priority, lane: .parked), 0))
            }
        }
        if states.contains(.blocked), !isStanding {
            sources += try heldUpSources(queue, &page.look, now, transaction)
        }
        for state in states where state.isEnded && queue[state] > 0 { sources.append(.ended(queue.id, state)) }
        return sources
    }

    /// Reads a task and takes it into the page if it belongs there. A damaged one is passed over.
    private func examine<A>(
        _ sequence: UInt64, _ page: inout ListPage, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        page.examine()
        do throws(StorageError) {
            guard let task = try task(sequence, transaction), !isGone(task.queue), page.admits(task) else { return }
            let phase: Phase? = leases[sequence] == nil ? nil : .active
            page.offer(try view(broker.id(sequence), task, phase, &page.look, now, transaction))
        } catch {
            guard error.kind == .damaged else { throw error }
        }
    }
}

/// Candidates for a list in the order of adding.
extension Engine {
    /// All tasks in the states asked for, oldest first; `nil`: they are too many to look them all up.
    private func gather<A>(
        _ page: inout ListPage, _ now: Timestamp, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [UInt64]? {
        let limit = page.request.bounds.gathered
        let states = page.request.states
        var expected = states.contains(.active) ? Int64(leases.count) : 0
        var sources: [ListSource] = states.contains(.active) ? [.active] : []
        let number = page.queue.map { Int($0) - 1 }
        for index in number.map({ $0..<$0 + 1 }) ?? queues.indices {
            let ours = try self.sources(&page, queues[index], now, transaction)
            expected += candidates(page.request, queues[index]) + Int64(ours.count) + 1
            if states == [.blocked] { expected += try heldUp(in: queues[index], &page.look, now, transaction) }
            guard expected <= limit else { return nil }
            sources += ours
        }
        var found: [UInt64] = []
        for source in sources {
            try gather(source, page, now, limit, &found, transaction)
            guard found.count <= limit else { return nil }
        }
        return found.sorted()
    }

    /// How many entries of a queue are to be expected at least, as far as the counters know.
    private func candidates(_ request: ListRequest, _ queue: QueueState) -> Int64 {
        if request.state == .failed { return queue.retryDepth + queue[.dead] }
        return request.states.filter { $0 != .active }.reduce(0) { $0 + queue[$1] }
    }

    private func gather<A>(
        _ source: ListSource, _ page: ListPage, _ now: Timestamp, _ limit: Int, _ found: inout [UInt64],
        _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        var walk = listWalk(for: source, page, now)
        try walk.add(source, from: .start, transaction)
        while found.count <= limit, let place = try walk.next(transaction) {
            if case .active = source, let queue = page.queue, leases[place.sequence]?.queue != queue { continue }
            found.append(place.sequence)
        }
    }

    /// Only the part of a waiting range that is in the states asked for is walked.
    private func listWalk(for source: ListSource, _ page: ListPage, _ now: Timestamp) -> ListWalk {
        guard case .waiting(_, let range, _) = source, range.lane != .parked else { return ListWalk(isReversed: false) }
        var request = page.request
        request.order = .run
        request.isReversed = false
        return walk(request, now)
    }
}

internal import MartletProtocol

extension Outcome {
    /// What an answer says otherwise than it was predicted; `nil`: nothing.
    func difference(from observed: Outcome) -> String? {
        switch (self, observed) {
        case (.task(let expected), .task(let seen)):
            let seen = seen.comparable(to: expected)
            return expected == seen ? nil : describe(expected, seen)
        case (.list(let expected), .list(let seen)):
            guard expected.map(\.id) == seen.map(\.id) else {
                return "list: " + MartletSimulation.difference(expected.map(\.id), seen.map(\.id))
            }
            let pairs = zip(expected, seen).map { ($0, $1.comparable(to: $0)) }
            return pairs.first { $0 != $1 }.map { describe($0, $1) }
        case (.queue(let expected), .queue(let seen)): return expected.difference(from: seen)
        case (.queues(let expected), .queues(let seen)) where expected.count == seen.count:
            return zip(expected, seen).lazy.compactMap { $0.difference(from: $1) }.first
        case (.handedOut(let expected), .handedOut(let seen)) where expected.count == seen.count:
            for (expected, seen) in zip(expected, seen) {
                let seen = seen.comparable(to: expected)
                guard expected == seen else {
                    return "hand-out of \(expected.id): " + MartletSimulation.difference(expected, seen)
                }
            }
            return nil
        case (.workers(let expected), .workers(let seen)) where expected.count == seen.count:
            let seen = zip(seen, expected).map { $0.comparable(to: $1) }
            return expected == seen ? nil : describe(self, .workers(seen))
        case (.waited(let expected), .waited(let seen)) where expected.count == seen.count:
            let seen = zip(seen, expected).map { $0.comparable(to: $1) }
            return expected == seen ? nil : describe(self, .waited(seen))
        default: return self == observed ? nil : describe(self, observed)
        }
    }

    private func describe(_ expected: Sight, _ seen: Sight) -> String {
        "task \(expected.id): " + MartletSimulation.difference(expected, seen)
    }

    private func describe(_ expected: Outcome, _ seen: Outcome) -> String {
        MartletSimulation.difference(expected, seen)
    }
}

extension QueueSight {
    /// Counts follow in slices: while they are behind only what never is behind is compared.
    func difference(from seen: QueueSight) -> String? {
        var expected = self
        if seen.lagging {
            expected.lagging = true
            expected.counts = seen.counts
            expected.totalFailed = seen.totalFailed
            expected.oldest = seen.oldest
            expected.workers = seen.workers
        }
        return expected == seen ? nil : "queue \(readable(name)): " + MartletSimulation.difference(expected, seen)
    }
}

/// Messages of failures that nobody reported are the engine's own wording: any will do, but there must be one.
extension Bytes {
    fileprivate static func comparable(_ seen: Bytes?, to expected: Bytes?) -> Bytes? {
        expected == Report.ownWords && seen != nil ? expected : seen
    }
}

extension Delivery {
    fileprivate func comparable(to expected: Delivery) -> Delivery {
        var delivery = self
        delivery.lastError = Bytes.comparable(lastError, to: expected.lastError)
        return delivery
    }
}

extension Sight {
    fileprivate func comparable(to expected: Sight) -> Sight {
        var sight = self
        sight.lastError = Bytes.comparable(lastError, to: expected.lastError)
        guard let theirs = expected.history, let mine = history, theirs.count == mine.count else { return sight }
        sight.history = zip(mine, theirs).map { mine, theirs in
            var move = mine
            move.message = Bytes.comparable(mine.message, to: theirs.message)
            return move
        }
        return sight
    }
}

import MartletProtocol

/// A blocked QUEUE.DRAIN.
struct Drain {
    var request: QueueDrainRequest
    /// When it gives up; `nil`: never.
    var until: Timestamp?
}

/// Those who wait for a queue to have no unended tasks. In memory; as many as there are clients at most.
struct Drains {
    private var byCaller: [CallerID: Drain] = [:]
    private var deadlines = Deadlines()

    var isEmpty: Bool { byCaller.isEmpty }
    var callers: [CallerID] { byCaller.keys.sorted() }
    var nextDeadline: Timestamp? { deadlines.first?.at }

    subscript(caller: CallerID) -> Drain? { byCaller[caller] }

    /// Puts one (back), in place of the one of the same caller.
    mutating func insert(_ drain: Drain) {
        remove(drain.request.caller)
        byCaller[drain.request.caller] = drain
        if let until = drain.until { deadlines.insert(.init(at: until, id: drain.request.caller)) }
    }

    @discardableResult
    mutating func remove(_ caller: CallerID) -> Drain? {
        guard let drain = byCaller.removeValue(forKey: caller) else { return nil }
        if let until = drain.until { deadlines.remove(.init(at: until, id: caller)) }
        return drain
    }

    /// Takes out those whose time is up, in the order of their time.
    mutating func removeExpired(by now: Timestamp) -> [CallerID] {
        var expired: [CallerID] = []
        while let first = deadlines.first, first.at <= now {
            remove(first.id)
            expired.append(first.id)
        }
        return expired
    }
}

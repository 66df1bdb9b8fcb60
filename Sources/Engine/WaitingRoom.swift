import MartletProtocol

/// A blocked RESERVE.
struct Waiter {
    var request: ReserveRequest
    /// Rises with every blocked call: who came first is served first.
    var number: UInt64
    /// When it gives up; `nil`: never.
    var until: Timestamp?
    /// It is the NEXT of an acknowledgement, which its nonce remembers.
    var followsAcknowledge: Bool
}

/// The blocked callers, in the order in which they came. In memory.
struct WaitingRoom {
    private var waiters: [CallerID: Waiter] = [:]
    private var byQueue: [Bytes: [(number: UInt64, caller: CallerID)]] = [:]
    private var byNonce: [Bytes: CallerID] = [:]
    private var deadlines = Deadlines()
    private var lastNumber: UInt64 = 0

    var isEmpty: Bool { waiters.isEmpty }
    var callers: [CallerID] { waiters.values.sorted { $0.number < $1.number }.map(\.request.caller) }
    var queues: some Collection<Bytes> { byQueue.keys }
    var nextDeadline: Timestamp? { deadlines.first?.at }

    subscript(caller: CallerID) -> Waiter? { waiters[caller] }

    func caller(nonce: Bytes) -> CallerID? { byNonce[nonce] }

    /// The caller that has waited longest for a queue.
    func first(of queue: Bytes) -> (number: UInt64, caller: CallerID)? { byQueue[queue]?.first }

    func waiters(of queue: Bytes) -> [Waiter] { (byQueue[queue] ?? []).compactMap { waiters[$0.caller] } }

    mutating func enter(_ request: ReserveRequest, until: Timestamp?, followsAcknowledge: Bool) {
        lastNumber += 1
        insert(Waiter(request: request, number: lastNumber, until: until, followsAcknowledge: followsAcknowledge))
    }

    /// Puts a waiter (back) in its place.
    mutating func insert(_ waiter: Waiter) {
        let caller = waiter.request.caller
        waiters[caller] = waiter
        for queue in Set(waiter.request.queues) {
            let place = byQueue[queue]?.lastIndex { $0.number < waiter.number }.map { $0 + 1 } ?? 0
            byQueue[queue, default: []].insert((waiter.number, caller), at: place)
        }
        if let nonce = waiter.request.request?.nonce { byNonce[nonce] = caller }
        if let until = waiter.until { deadlines.insert(.init(at: until, id: caller)) }
    }

    @discardableResult
    mutating func remove(_ caller: CallerID) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: caller) else { return nil }
        for queue in Set(waiter.request.queues) {
            byQueue[queue]?.removeAll { $0.caller == caller }
            if byQueue[queue]?.isEmpty == true { byQueue[queue] = nil }
        }
        if let nonce = waiter.request.request?.nonce, byNonce[nonce] == caller { byNonce[nonce] = nil }
        if let until = waiter.until { deadlines.remove(.init(at: until, id: caller)) }
        return waiter
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

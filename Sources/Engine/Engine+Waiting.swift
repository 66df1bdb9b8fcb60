public import MartletProtocol
public import MartletStorage

extension Engine {
    /// Waited-for queues that are looked at when the clock advances, so that a task that is due is handed out although
    /// the bookkeeping of others is behind.
    private static let waitedQueues = 1_000

    /// Serves blocked callers in the order in which they came, inside the group that has something for them, after its
    /// last command. `deliver` gets the answers; they may be sent once the group is durable.
    public mutating func serveWaiting(
        now: Timestamp, in transaction: borrowing Transaction<Writing>, deliver: (CallerID, Answer) -> Void
    ) throws(StorageError) {
        for caller in displaced { deliver(caller, .handedOut([])) }
        displaced.removeAll()
        for (caller, answer) in finishedOperations { deliver(caller, answer) }
        finishedOperations.removeAll()
        if !limits.busy.isEmpty { try serveTakers(now, transaction, deliver) }
        openGates(now)
        while !room.isEmpty, let (queue, caller) = firstToServe() {
            guard let waiter = room[caller] else { return }
            let tasks = try handOut(waiter.request, now, transaction)
            guard !tasks.isEmpty else {
                touched.remove(queue)
                waitAtGates()
                continue
            }
            room.remove(caller)
            undoLog.changes.append(.waiterLeft(waiter))
            remember(tasks, waiter.request.request, waiter.followsAcknowledge)
            deliver(caller, .handedOut(tasks))
        }
        touched.removeAll(keepingCapacity: true)
        if !drains.isEmpty { serveDrains(deliver) }
        if !watchers.isEmpty { try serveWatchers(now, transaction, deliver) }
    }

    /// Among the touched queues, the caller that has waited longest.
    private func firstToServe() -> (queue: UInt32, caller: CallerID)? {
        var first: (queue: UInt32, caller: CallerID, number: UInt64)?
        for queue in touched {
            guard let waiting = room.first(of: queueName(queue)) else { continue }
            if waiting.number < first?.number ?? .max { first = (queue, waiting.caller, waiting.number) }
        }
        return first.map { ($0.queue, $0.caller) }
    }

    mutating func touchWaitedQueues() {
        for name in room.queues.prefix(Self.waitedQueues) {
            if let number = queueNumbers[name] { touched.insert(number) }
        }
    }

    /// Ends blocked calls whose BLOCK has passed.
    public mutating func expireWaiting(now: Timestamp, deliver: (CallerID, Answer) -> Void) {
        for caller in room.removeExpired(by: now) { deliver(caller, .handedOut([])) }
        expireTakers(now, deliver)
        for caller in drains.removeExpired(by: now) { deliver(caller, .bytes(nil)) }
    }

    /// The caller is gone, or is told something else: its blocked call ends without an answer.
    public mutating func forget(caller: CallerID) {
        room.remove(caller)
        watchers.remove(caller)
        drains.remove(caller)
        forgetOperation(caller)
        forgetTaker(caller)
    }

    /// The callers that wait for a task to do, in the order in which they came, and those that wait for an operation or
    /// a limit or for a queue to be empty.
    public var waitingCallers: [CallerID] { room.callers + operationCallers + takingCallers + drains.callers }

    /// The callers that wait for the end of tasks, in the order in which they came.
    public var watchingCallers: [CallerID] { watchers.callers }

    /// A repeated command takes over the call that its nonce left blocked.
    mutating func takeOver(_ nonce: RequestNonce, by request: ReserveRequest) -> Answer? {
        guard let caller = room.caller(nonce: nonce.nonce), let waiter = room[caller] else { return nil }
        guard waiter.request.request == nonce else { return .refused(Self.otherArguments) }
        if caller == request.caller { return .blocked }
        room.remove(caller)
        undoLog.changes.append(.waiterLeft(waiter))
        var taken = waiter
        taken.request.caller = request.caller
        room.insert(taken)
        undoLog.changes.append(.waiterEntered(request.caller))
        displaced.append(caller)
        return .blocked
    }
}

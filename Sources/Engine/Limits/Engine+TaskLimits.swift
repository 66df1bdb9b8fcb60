import MartletProtocol
import MartletStorage

/// LIMIT of a task. Those that need the same limits wait in a line of their own: hand-outs come by its first task
/// alone, and only while there are tokens, so that nobody else waits for it. Of the tasks that need a limit none
/// overtakes the first one that waits for it, were it cheaper.
extension Engine {
    /// Limits that are not there, that can never have so much, or that tasks cannot take.
    func refusal(of wanted: [LimitCost]) -> CommandError? {
        for limit in wanted {
            guard let number = limits.number(limit.name), let known = limits[number] else {
                return Self.noLimit(limit.name)
            }
            if known.isOfSlots { return Self.slotsHoldNoTask(limit.name) }
            guard limit.cost > known.most else { continue }
            let name = String(decoding: limit.name, as: UTF8.self)
            return CommandError(.error, "COST \(limit.cost) is above what limit '\(name)' ever has, \(known.most)")
        }
        guard !wanted.isEmpty, limitSets.count >= Limits.limitSets, limitSets.number(Self.names(wanted)) == nil else {
            return nil
        }
        return CommandError(.error, "tasks name \(Limits.limitSets) different sets of limits already; use one of those")
    }

    private static func names(_ wanted: [LimitCost]) -> [Bytes] {
        wanted.map(\.name).sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// What is stored of the limits that a task names; their set gets a number if it has none.
    mutating func taskLimits(
        _ wanted: [LimitCost], _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> TaskLimits? {
        guard !wanted.isEmpty else { return nil }
        let names = Self.names(wanted)
        let costs = names.map { name in wanted.first { $0.name == name }?.cost ?? 1 }
        if let set = limitSets.number(names) { return TaskLimits(set: set, costs: costs) }
        let set = limitSets.add(names)
        undoLog.changes.append(.limitSetAdded)
        try transaction.put(Tables.limitSets, LimitSets.key(set)) { record in
            record.uint8(UInt8(names.count))
            for name in names { record.bytes(name) }
        }
        return TaskLimits(set: set, costs: costs)
    }

    /// The limit that lacks tokens for a task, and what it would take; `nil`: none does.
    func lacking(_ wanted: TaskLimits, _ now: Timestamp) -> (number: UInt32, cost: Int64)? {
        let names = limitSets[wanted.set]
        if let empty = empty(names, now) { return (empty, 1) }
        for (name, cost) in zip(names, wanted.costs) {
            guard let number = limits.number(name), let limit = limits[number], !limit.hasTokens(cost, now) else {
                continue
            }
            return (number, cost)
        }
        return nil
    }

    /// The first of these limits that has no token at all.
    private func empty(_ names: [Bytes], _ now: Timestamp) -> UInt32? {
        for name in names {
            if let number = limits.number(name), let limit = limits[number], !limit.hasTokens(1, now) { return number }
        }
        return nil
    }

    /// Whether a task that comes first waits for one of these limits.
    private func isAwaited(_ names: [Bytes], _ shortage: Set<UInt32>) -> Bool {
        !shortage.isEmpty && names.contains { limits.number($0).map(shortage.contains) ?? false }
    }

    /// A task is handed out: it takes its tokens.
    mutating func takeTokens(_ wanted: TaskLimits, _ now: Timestamp) {
        for (name, cost) in zip(limitSets[wanted.set], wanted.costs) {
            guard let number = limits.number(name), limits[number]?.isOfSlots == false else { continue }
            change(limit: number) { _ = $0.take(min(cost, $0.most), until: now, now) }
        }
    }
}

/// Which of the lines may be looked at.
extension Engine {
    /// What holds a task back that is the first of its line; `nil`: nothing does. It goes into the shortage.
    func canPay<A>(
        _ head: Candidate, _ shortage: inout Set<UInt32>, _ transaction: borrowing Transaction<A>, _ now: Timestamp
    ) throws(StorageError) -> Gate? {
        let names = limitSets[head.key.limits]
        if let empty = empty(names, now) { return .limit(empty, 1) }
        if let awaited = names.compactMap(limits.number).first(where: shortage.contains) { return .limit(awaited, 1) }
        var task: TaskRecord?
        // What cannot be read is put aside when it is handed out.
        do throws(StorageError) { task = try self.task(head.key.sequence, transaction) } catch {
            guard error.kind == .damaged else { throw error }
        }
        guard let task, let wanted = task.limits, let lacking = lacking(wanted, now) else { return nil }
        // Nor does one hold others back whose time to live is over: it takes nothing.
        if timerBound <= now, try expiry(of: head, task, by: now, transaction) != nil { return nil }
        shortage.insert(lacking.number)
        return .limit(lacking.number, lacking.cost)
    }

    func canBePaid<A>(
        _ head: Candidate, _ shortage: inout Set<UInt32>, _ transaction: borrowing Transaction<A>, _ now: Timestamp
    ) throws(StorageError) -> Bool {
        guard head.key.limits > 0 else { return true }
        return try canPay(head, &shortage, transaction, now) == nil
    }

    /// The same; who waits for a task is woken when the gate opens.
    private mutating func canPay(
        _ head: Candidate, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Bool {
        guard head.key.limits > 0 else { return true }
        var shortage = shortage
        defer { self.shortage = shortage }
        let known = shortage
        guard let gate = try canPay(head, &shortage, transaction, now) else { return true }
        guard case .limit(let number, _) = gate, !known.contains(number) else { return false }
        heldBack.append((gate, head.key.queue))
        return false
    }

    /// Lines of a range that are not at a limit without any token: the others need not be looked at.
    private mutating func openLines(_ queue: UInt32, _ ranges: [WaitingRange], _ now: Timestamp) -> [UInt16] {
        var open: Set<UInt16> = []
        for range in ranges {
            for set in limitLines.sets(of: queue, range) where !open.contains(set) {
                let names = limitSets[set]
                if let empty = empty(names, now) {
                    heldBack.append((.limit(empty, 1), queue))
                } else if !isAwaited(names, shortage) {
                    open.insert(set)
                }
            }
        }
        return open.sorted()
    }

    /// The first task of a range that is due and can be paid for; `free`: the one that needs no limits.
    mutating func payableHead(
        _ queue: UInt32, _ range: WaitingRange, or free: Candidate?, _ now: Timestamp,
        _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        var heads: [Candidate] = []
        for limits in openLines(queue, [range], now) {
            if let head = try head(queue, range, limits, now, transaction) { heads.append(head) }
        }
        for head in heads.sorted(by: { $0.precedes($1) }) {
            if let free, free.precedes(head) { break }
            if try canPay(head, now, transaction) { return head }
        }
        return free
    }

    /// The tasks at the head of the group whose turn it is, whatever limits they need, that can be paid for. A group
    /// has its turn in each of its lines.
    mutating func payableTurn(
        _ round: Round, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> [Candidate] {
        var turns: [(at: Stamp, round: Round)] = []
        for limits in [0] + openLines(round.queue, round.ranges, now) {
            var round = round
            round.limits = limits
            guard let first = try transaction.first(Tables.turns, from: round.prefix, prefix: round.prefix) else {
                continue
            }
            turns.append((GroupTurn.readTurn(first.key).at, round))
        }
        for turn in turns.sorted(by: { $0.at < $1.at }) {
            var payable: [Candidate] = []
            for head in try headsInTurn(of: turn.round, now, transaction) {
                if try canPay(head, now, transaction) { payable.append(head) }
            }
            if !payable.isEmpty { return payable }
        }
        return []
    }

    /// A line turned out to be empty.
    mutating func forgetLine(_ queue: UInt32, _ range: WaitingRange, _ limits: UInt16) {
        undoLog.changes.append(.lineForgotten(queue, range, limits))
        limitLines.remove(limits, queue, range)
    }

    /// Reads the sets, and finds the lines there are: a look-up for each.
    mutating func loadTaskLimits(_ transaction: borrowing Transaction<Reading>) throws(StorageError) {
        var loaded: [(number: UInt16, names: [Bytes])] = []
        try transaction.scanRecords(Tables.limitSets, from: KeyBytes(), prefix: KeyBytes()) { key, record in
            var reader = key.reader
            var names: [Bytes] = []
            for _ in 0..<record.uint8() { names.append(record.bytes()) }
            loaded.append((reader.next(), names))
            return true
        }
        for (number, names) in loaded {
            guard limitSets.add(names) == number else { throw Self.incomplete("the limits number \(limitSets.count)") }
        }
        guard !loaded.isEmpty else { return }
        for queue in queues { try findLines(of: queue.id, transaction) }
    }

    private mutating func findLines(
        of queue: UInt32, _ transaction: borrowing Transaction<Reading>
    ) throws(StorageError) {
        var from = queueKey(queue)
        while let first = try transaction.first(Tables.waiting, from: from, prefix: queueKey(queue)) {
            var key = WaitingKey(first.key)
            if key.limits > 0 { limitLines.insert(key.limits, queue, key.range) }
            (key.due, key.sequence) = (.max, .max)
            from = key.bytes
            from.append(UInt8(0))
        }
    }
}

extension Engine {
    /// Why a task that names limits is not running: it lacks tokens itself, or the first one of its line lacks `cost`
    /// of limit `number`.
    func whyShort(
        _ task: TaskView, _ record: TaskRecord, _ number: UInt32, _ cost: Int64, _ now: Timestamp
    ) -> WaitView {
        let own = record.limits.flatMap { wanted in
            lacking(wanted, now).map { lacking -> (number: UInt32, cost: Int64) in
                let cost = zip(limitSets[wanted.set], wanted.costs).first { $0.0 == limits[lacking.number]?.name }?.1
                return (lacking.number, cost ?? lacking.cost)
            }
        }
        let limit = limits[own?.number ?? number]
        let name = String(decoding: limit?.name ?? [], as: UTF8.self)
        let wanted = own?.cost ?? cost
        let taker = own == nil ? "the first of those that need it" : "it"
        var (until, has): (Timestamp?, Int64) = (nil, 0)
        if let limit, case .tokens(let bucket) = limit.kind {
            if limit.takers.isEmpty { until = bucket.instant(for: min(wanted, bucket.burst)) }
            has = bucket.available(at: now)
        }
        return WaitView(
            state: task.state, reason: .limit, until: until,
            detail: "\(taker) takes \(wanted) of limit '\(name)', which has \(has); more come by themselves, "
                + "sooner at a higher RATE")
    }
}

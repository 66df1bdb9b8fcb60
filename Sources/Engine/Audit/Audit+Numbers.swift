import MartletProtocol
import MartletStorage

/// Queues, names, counters: what the tables of tasks are held against.
extension Audit {
    mutating func readQueues<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        let own = queueKey(0)
        do throws(StorageError) {
            broker = try transaction.read(Tables.queues, own) { BrokerRecord(from: &$0) }
        } catch {
            guard error.kind == .damaged else { throw error }
            report(.damagedRecord, "the broker's own record: ids come from its secret, restore a snapshot")
        }
        try records(
            Tables.queues, transaction,
            decode: { key, record -> QueueState? in
                guard key != own else { return nil }
                var reader = key.reader
                return QueueState(id: reader.next(), from: &record)
            },
            damaged: { audit, key in
                guard key != own else { return }
                var reader = key.reader
                let number: UInt32 = reader.next()
                audit.report(.damagedRecord, "queue number \(number)", .quarantine(Tables.queues, key))
            },
            { audit, _, queue in
                guard let queue else { return }
                audit.queues[queue.id] = queue
                audit.tally(queue.id) { _ in }
            })
    }

    mutating func readNames<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) {
        var numbers: Set<UInt32> = []
        try records(
            Tables.names, transaction, decode: { _, record in record.bytes() },
            damaged: { audit, key in
                let number = Self.number(ofName: key)
                numbers.insert(number)
                audit.report(.damagedRecord, "name of type number \(number)", .quarantine(Tables.names, key))
            },
            { audit, key, _ in
                let number = Self.number(ofName: key)
                numbers.insert(number)
                audit.highest.type = max(audit.highest.type, number)
            })
        names = numbers
    }

    private static func number(ofName key: KeyBytes) -> UInt32 {
        var reader = key.reader
        _ = reader.next(UInt8.self)
        return reader.next()
    }

    /// Numbers of types and queues have no gaps; a name that is lost is replaced by one that says so.
    mutating func compareNames() {
        for number in 1...max(1, highest.type) where number <= highest.type && !names.contains(number) {
            report(
                .nameMissing, "type number \(number)", .typeName(number, Bytes("recovered-type-\(number)".utf8)))
        }
        for number in 1...max(1, highest.queue) where number <= highest.queue && queues[number] == nil {
            let name = Bytes("recovered-queue-\(number)".utf8)
            report(.queueMissing, "queue number \(number)", .queue(QueueState(id: number, name: name)))
        }
    }

    /// Counters say what the tables hold. They are put right when nothing else is wrong any more.
    mutating func compareCounters() {
        let isRepairable = !findings.contains(where: \.isRepairable)
        for (number, queue) in queues.sorted(by: { $0.key < $1.key }) {
            guard let counted = recount[number] else { continue }
            var right = queue
            var wrong: [String] = []
            for state in TaskState.allCases where queue[state] != counted[state] {
                wrong.append("\(queue[state]) \(state.name), not \(counted[state])")
                right.count(state, counted[state] - queue[state])
            }
            for index in 0..<WaitingRange.count where queue.waiting[index] != counted.waiting[index] {
                let range = WaitingRange(index: index)
                wrong.append("\(queue.waiting[index]) of priority \(range.priority), not \(counted.waiting[index])")
                right.countWaiting(range, counted.waiting[index] - queue.waiting[index])
            }
            if queue.dueCounts != counted.dueCounts {
                let pairs = [queue.dueCounts, counted.dueCounts].map { "\($0.lines.map { [$0.due, $0.full] })" }
                wrong.append("due tasks by their limits \(pairs[0]), not \(pairs[1])")
                right.dueCounts = counted.dueCounts
            }
            guard !wrong.isEmpty else { continue }
            let name = String(decoding: queue.name, as: UTF8.self)
            report(
                .counterWrong, "queue \(name) counts \(wrong.joined(separator: ", "))",
                isRepairable ? [.queue(right)] : [])
        }
    }

    /// What is given out next is above everything that was given out.
    mutating func compareNumbers() {
        guard let broker else { return }
        var right = broker
        right.lastSequence = max(broker.lastSequence, highest.sequence)
        right.lastToken = max(broker.lastToken, highest.token)
        right.lastMove = max(broker.lastMove, highest.move.number)
        right.lastMoveAt = max(broker.lastMoveAt, highest.move.at)
        let isBehind = right != broker
        (right.keptMoves, right.flushedTexts) = (moves, flushedTexts)
        if isBehind { report(.numbersBehind, "the last task's, token's or move's number", .broker(right)) }
        if broker.keptMoves != moves {
            report(.counterWrong, "the stream holds \(moves) moves, not \(broker.keptMoves)", .broker(right))
        }
        guard broker.flushedTexts != flushedTexts else { return }
        report(
            .counterWrong, "\(flushedTexts) records of flushed keys are stored, not \(broker.flushedTexts)",
            .broker(right))
    }
}

import MartletProtocol
import MartletStorage

/// The queues of a RESERVE that are there, each once, and how it chooses among them.
struct QueueLine {
    /// Nearly always it is one alone.
    private(set) var only: UInt32?
    /// Else these.
    private(set) var queues: [UInt32] = []
    /// One for each of them, if the mode has weights.
    private(set) var weights: [UInt64] = []
    let mode: ReserveMode

    init(_ request: ReserveRequest, _ numbers: [Bytes: UInt32]) {
        mode = request.mode
        if request.queues.count == 1 {
            only = numbers[request.queues[0]]
            return
        }
        var given: [Int64] = []
        if case .weighted(let weights) = mode { given = weights }
        for (index, name) in request.queues.enumerated() {
            guard let number = numbers[name] else { continue }
            let weight = index < given.count ? UInt64(given[index]) : 1
            if let place = queues.firstIndex(of: number) {
                if !given.isEmpty { weights[place] += weight }
            } else {
                queues.append(number)
                if !given.isEmpty { weights.append(weight) }
            }
        }
    }

    /// Which of the weights has its turn at hand-out `token`: the multiples of the golden ratio fall evenly into any
    /// interval, so that every queue gets its share after few hand-outs, and nothing has to be remembered.
    static func turn(of weights: [UInt64], at token: Int64) -> Int {
        let fraction = (UInt64(bitPattern: token) &* 0x9E37_79B9_7F4A_7C15) >> 32
        var point = (fraction * weights.reduce(0, +)) >> 32
        for (index, weight) in weights.enumerated() {
            if point < weight { return index }
            point -= weight
        }
        return weights.count - 1
    }
}

extension Engine {
    /// The task to be handed out next from any of the queues.
    mutating func candidate(
        _ line: QueueLine, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        if let only = line.only { return try candidate(only, now, transaction) }
        switch line.mode {
        case .strict: return try strictCandidate(line.queues, now, transaction)
        case .ordered:
            for queue in line.queues {
                if let candidate = try candidate(queue, now, transaction) { return candidate }
            }
            return nil
        case .weighted: return try weightedCandidate(line, now, transaction)
        }
    }

    /// The same rule across queues as within one.
    private mutating func strictCandidate(
        _ queues: [UInt32], _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        var best: Candidate?
        for queue in queues {
            guard let candidate = try candidate(queue, now, transaction) else { continue }
            if best.map(candidate.precedes) ?? true { best = candidate }
        }
        return best
    }

    private mutating func weightedCandidate(
        _ line: QueueLine, _ now: Timestamp, _ transaction: borrowing Transaction<Writing>
    ) throws(StorageError) -> Candidate? {
        var heads: [Candidate] = []
        var weights: [UInt64] = []
        for (queue, weight) in zip(line.queues, line.weights) {
            while let head = try candidate(queue, now, transaction) {
                // A queue whose task has expired must not have its turn for it.
                if timerBound <= now, try expire([head], now, transaction) { continue }
                heads.append(head)
                weights.append(weight)
                break
            }
        }
        return heads.isEmpty ? nil : heads[QueueLine.turn(of: weights, at: broker.lastToken + 1)]
    }
}

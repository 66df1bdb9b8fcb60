import MartletProtocol

/// Knows which jobs have come, and says at the end whether each came exactly once and in order.
struct JobLedger {
    /// What was found. All zero: every job came exactly once, in the order asked for.
    struct Findings: Hashable, Sendable {
        /// Jobs that never came.
        var missing = 0
        /// Hand-outs of a job that had come before.
        var repeated = 0
        /// Hand-outs whose payload is none of this run's jobs.
        var foreign = 0
        /// Hand-outs whose token is not above the one before it on the same connection.
        var staleTokens = 0
        /// Hand-outs of a lower priority before a higher one.
        var inversions = 0
        /// Hand-outs of a younger task before an older one of the same priority.
        var overtakings = 0

        var isClean: Bool { self == Findings() }
    }

    /// One hand-out, for the order check.
    struct HandedOut {
        var token: Int64
        var priority: Int
        var sequence: UInt64
    }

    private var seen: [UInt64]
    private let jobs: Int
    private(set) var came = 0
    private var findings = Findings()
    private var order: [HandedOut] = []

    init(jobs: Int) {
        self.jobs = jobs
        seen = [UInt64](repeating: 0, count: (jobs + 63) / 64)
    }

    /// Enters a hand-out of job `number`; `nil`: its payload had no number.
    mutating func enter(_ number: Int?) {
        guard let number, number < jobs else {
            findings.foreign += 1
            return
        }
        let bit: UInt64 = 1 << UInt64(number & 63)
        if seen[number >> 6] & bit != 0 {
            findings.repeated += 1
        } else {
            seen[number >> 6] |= bit
            came += 1
        }
    }

    /// Enters a token that did not rise.
    mutating func enterStaleToken() { findings.staleTokens += 1 }

    /// Keeps a hand-out for the order check: 24 bytes each. One without a valid id is foreign.
    mutating func keep(_ task: ReservedTask, token: Int64, in bytes: Span<UInt8>) {
        guard let id = TaskID(task.id.map { bytes[$0] }) else {
            findings.foreign += 1
            return
        }
        order.append(HandedOut(token: token, priority: task.priority, sequence: id.sequence))
    }

    /// Everything that was wrong; O(n log n) in the hand-outs kept.
    consuming func close(expectsAll: Bool) -> Findings {
        if expectsAll { findings.missing = jobs - came }
        order.sort { $0.token < $1.token }
        for (earlier, later) in zip(order, order.dropFirst()) {
            if earlier.priority < later.priority { findings.inversions += 1 }
            if earlier.priority == later.priority && earlier.sequence > later.sequence { findings.overtakings += 1 }
        }
        return findings
    }
}

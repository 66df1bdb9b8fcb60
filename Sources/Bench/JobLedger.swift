import MartletProtocol

/// Knows which jobs have come, and says at the end whether each came exactly once and in order.
package struct JobLedger {
    /// What was found. All zero: every job came exactly once, in the order asked for.
    package struct Findings: Hashable, Sendable {
        /// Jobs that never came.
        package var missing = 0
        /// Hand-outs of a job that had come before.
        package var repeated = 0
        /// Hand-outs whose payload is none of this run's jobs.
        package var foreign = 0
        /// Hand-outs whose token is not above the one before it on the same connection.
        package var staleTokens = 0
        /// Hand-outs of a lower priority before a higher one.
        package var inversions = 0
        /// Hand-outs of a younger task before an older one of the same priority.
        package var overtakings = 0

        package var isClean: Bool { self == Findings() }
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

    package init(jobs: Int) {
        self.jobs = jobs
        seen = [UInt64](repeating: 0, count: (jobs + 63) / 64)
    }

    /// Enters a hand-out of job `number`; `nil`: its payload had no number.
    package mutating func enter(_ number: Int?) {
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
    package mutating func enterStaleToken() { findings.staleTokens += 1 }

    /// Keeps a hand-out for the order check: 24 bytes each. One without a valid id is foreign.
    package mutating func keep(_ task: ReservedTask, token: Int64, in bytes: Span<UInt8>) {
        guard let id = TaskID(task.id.map { bytes[$0] }) else {
            findings.foreign += 1
            return
        }
        order.append(HandedOut(token: token, priority: task.priority, sequence: id.sequence))
    }

    /// Everything that was wrong; O(n log n) in the hand-outs kept.
    package consuming func close(expectsAll: Bool) -> Findings {
        if expectsAll { findings.missing = jobs - came }
        order.sort { $0.token < $1.token }
        for (earlier, later) in zip(order, order.dropFirst()) {
            if earlier.priority < later.priority { findings.inversions += 1 }
            if earlier.priority == later.priority && earlier.sequence > later.sequence { findings.overtakings += 1 }
        }
        return findings
    }
}

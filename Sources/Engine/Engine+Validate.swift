public import MartletProtocol
public import MartletStorage

extension Engine {
    /// Reads all tables and reports where they disagree with each other, with the counters or with memory. Empty: they
    /// agree. Holds what it reads in memory: for tests and for a check by hand.
    public func validate<A>(
        now: Timestamp, in transaction: borrowing Transaction<A>
    ) throws(StorageError) -> [String] {
        var census = Census()
        try census.readTasks(transaction)
        try census.readStates(transaction)
        try census.readIndexes(transaction)
        var audit = Audit(now: now) { _, _ in }
        try audit.run(transaction)
        return census.disagreements() + census.lineDisagreements(self) + disagreements(with: census, now)
            + audit.findings.map { "\($0.kind.rawValue): \($0.text)" }
    }

    private func disagreements(with census: Census, _ now: Timestamp) -> [String] {
        var findings: [String] = []
        for queue in queues {
            let name = String(decoding: queue.name, as: UTF8.self)
            for index in 0..<WaitingRange.count {
                let range = WaitingRange(index: index)
                let found = census.waiting(queue.id, range)
                if queue.waiting[index] != found.count {
                    findings.append("queue \(name) range \(index) counts \(queue.waiting[index]), holds \(found.count)")
                }
                if let first = found.first, first < dueBounds[queue.id, range] {
                    findings.append("queue \(name) range \(index) has a task due before its bound")
                }
            }
            for state in TaskState.allCases where queue[state] != census.count(queue.id, state) {
                findings.append("queue \(name) counts \(queue[state]) \(state), holds \(census.count(queue.id, state))")
            }
        }
        return findings + leaseDisagreements(with: census) + timerDisagreements(with: census)
            + cronDisagreements(with: census)
    }

    private func leaseDisagreements(with census: Census) -> [String] {
        var findings: [String] = []
        for (sequence, state) in census.states[.active] ?? [:] {
            let lease = leases[sequence]
            if lease?.token != state.token || lease?.deadline != state.deadline {
                findings.append("task \(sequence) is active under token \(state.token) but its lease says otherwise")
            }
        }
        if leases.count != census.states[.active]?.count ?? 0 || leases.deadlines.count != leases.count {
            findings.append("\(leases.count) leases, \(leases.deadlines.count) deadlines and other active tasks")
        }
        return findings
    }

    private func cronDisagreements(with census: Census) -> [String] {
        let numbers = Set(crons.ordered.map(\.number))
        return numbers.symmetricDifference(census.cronBodies).map { "cron entry \($0) has no payload, or is gone" }
    }

    private func timerDisagreements(with census: Census) -> [String] {
        guard let first = census.timers.map(\.at).min(), first < timerBound else { return [] }
        return ["a timer is set before the bound \(timerBound)"]
    }
}

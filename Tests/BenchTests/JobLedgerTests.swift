import MartletBench
import MartletProtocol
import Testing

@Suite(.timeLimit(.minutes(1)))
struct JobLedgerTests {
    /// Hand-outs in token order: (priority, age).
    private func findings(_ handedOut: [(priority: Int, sequence: UInt64)]) -> JobLedger.Findings {
        var ledger = JobLedger(jobs: handedOut.count)
        for (number, task) in handedOut.enumerated() {
            let bytes = TaskID(sequence: task.sequence, check: 0).text
            let reserved = ReservedTask(id: 0..<bytes.count, payload: 0..<0, token: 0..<0, priority: task.priority)
            ledger.enter(number)
            ledger.keep(reserved, token: Int64(number + 1), in: bytes.span)
        }
        return ledger.close(expectsAll: true)
    }

    @Test
    func everyJobOnceIsClean() {
        #expect(findings([(10, 5), (10, 6), (3, 1), (3, 2)]).isClean)
    }

    @Test
    func aLostAndARepeatedAndAForeignJobAreCounted() {
        var ledger = JobLedger(jobs: 100)
        for number in 0..<99 { ledger.enter(number) }
        ledger.enter(64)
        ledger.enter(100)
        ledger.enter(nil)
        let findings = ledger.close(expectsAll: true)
        #expect(findings.missing == 1)
        #expect(findings.repeated == 1)
        #expect(findings.foreign == 2)
    }

    @Test
    func aLowerPriorityBeforeAHigherIsAnInversion() {
        let found = findings([(10, 1), (3, 2), (4, 3)])
        #expect(found.inversions == 1)
        #expect(found.overtakings == 0)
    }

    @Test
    func aYoungerTaskBeforeAnOlderOneOfItsPriorityIsAnOvertaking() {
        let found = findings([(5, 2), (5, 1)])
        #expect(found.inversions == 0)
        #expect(found.overtakings == 1)
    }
}

import MartletEngine
import MartletProtocol
import MartletStorage
import Testing

@Suite("WHY")
struct WhyTests {
    private func reason(_ id: TaskID, _ fixture: StoreFixture) throws -> WaitReason? {
        guard case .why(let view) = try fixture.run(.why(id))[0] else { return nil }
        return view.reason
    }

    @Test("a head whose time to live is over is not in the way, although no bookkeeping was done")
    func expiredHeads() throws {
        let fixture = try StoreFixture()
        for _ in 0..<3 { _ = try fixture.add { $0.timeToLive = 10 } }
        let last = try fixture.add()
        #expect(try reason(last, fixture) == .behind)
        fixture.now += 10
        #expect(try reason(last, fixture) == .noWorker)
        #expect(try fixture.findings() == [])
    }

    @Test("it is answered on a snapshot while nothing is due, and changes nothing")
    func onASnapshot() throws {
        let fixture = try StoreFixture()
        let (first, second) = (try fixture.add(), try fixture.add())
        let now = fixture.now
        let answers = try fixture.store.read { (engine, transaction) throws(StorageError) in
            [
                try engine.answer(.why(first), now: now, in: transaction),
                try engine.answer(.why(second), now: now, in: transaction),
            ]
        }
        let reasons = answers.map { answer -> WaitReason? in
            if case .why(let view) = answer { view.reason } else { nil }
        }
        #expect(reasons == [.noWorker, .behind])
    }
}

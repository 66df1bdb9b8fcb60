import Foundation
import MartletSimulation
import Testing

/// The engine beside the model. `SEED=…` replays one seed, `STEPS=…` says how long.
@Suite struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment
    static let replayed = environment["SEED"].flatMap { UInt64($0) }
    static let seeds = replayed.map { [$0] } ?? Array(1...40) + kept.filter { $0 > 40 }
    static let steps = environment["STEPS"].flatMap { Int($0) } ?? 200

    /// Seeds that found a fault, kept with it.
    ///
    /// - 1: what ended in a look-up was not removed although its KEEP was over, too
    /// - 10: an undone hand-out gave back a lease that had run out
    /// - 22: a head whose TTL was over counted as the other lane's rival
    /// - 24: a FAIL that was answered again was not remembered under its nonce
    /// - 46: a task whose TTL ended while it was out waited for ever after its hand-out was undone
    static let kept: [UInt64] = [1, 10, 22, 24, 46]

    @Test(.timeLimit(.minutes(2)), arguments: seeds)
    func `the engine answers as the model predicts`(seed: UInt64) throws {
        let compared = try runSimulation(seed: seed, steps: Self.steps)
        #expect(compared > 0)
    }

    @Test(.timeLimit(.minutes(2)))
    func `tasks are driven into every reason to wait, and WHY names it`() throws {
        let missing = try reasonsNeverTold(seeds: 1...100, steps: Self.steps)
        #expect(missing.isEmpty)
    }

    @Test func `the same seed compares the same answers`() throws {
        let first = try runSimulation(seed: 7, steps: 60)
        let second = try runSimulation(seed: 7, steps: 60)
        #expect(first == second)
    }
}

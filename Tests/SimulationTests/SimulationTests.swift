import Foundation
import MartletSimulation
import Testing

/// The engine beside the model. `SEED=… ` replays one seed, `STEPS=…` says how long.
@Suite struct SimulationTests {
    static let environment = ProcessInfo.processInfo.environment
    static let seeds: [UInt64] = environment["SEED"].flatMap { UInt64($0) }.map { [$0] } ?? Array(1...40)
    static let steps = environment["STEPS"].flatMap { Int($0) } ?? 200

    @Test(.timeLimit(.minutes(2)), arguments: seeds)
    func `the engine answers as the model predicts`(seed: UInt64) throws {
        let compared = try runSimulation(seed: seed, steps: Self.steps)
        #expect(compared > 0)
    }

    @Test func `the same seed compares the same answers`() throws {
        let first = try runSimulation(seed: 7, steps: 60)
        let second = try runSimulation(seed: 7, steps: 60)
        #expect(first == second)
    }
}

internal import Foundation
internal import MartletStorage

/// Runs one seed in a temporary directory of its own and returns how many answers were compared.
/// - Throws: `SimulationFailure`, or what kept it from starting.
@discardableResult
public func runSimulation(seed: UInt64, steps: Int) throws -> Int {
    let directory = FileManager.default.temporaryDirectory.appending(path: "martlet-simulation-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let simulation = try Simulation(seed: seed, directory: directory.path)
    try simulation.run(steps: steps)
    return simulation.operations
}

internal import Foundation
internal import MartletEngine
internal import MartletStorage

/// Runs one seed in a temporary directory of its own and returns how many answers were compared; a failure tells the
/// last `logged` things that were done.
/// - Throws: `SimulationFailure`, or what kept it from starting.
@discardableResult
public func runSimulation(seed: UInt64, steps: Int, logged: Int = 25) throws -> Int {
    try inTemporaryDirectory { directory in
        let simulation = try Simulation(seed: seed, directory: directory)
        simulation.logged = logged
        try simulation.run(steps: steps)
        return simulation.operations
    }
}

/// Runs seeds until TASK.WHY has given every reason there is, each as the model predicted.
/// - Returns: the reasons that none of the seeds led to, by name.
/// - Throws: as `runSimulation`.
public func reasonsNeverTold(seeds: ClosedRange<UInt64>, steps: Int) throws -> [String] {
    var missing = Set(WaitReason.allCases)
    for seed in seeds where !missing.isEmpty {
        try inTemporaryDirectory { directory in
            let simulation = try Simulation(seed: seed, directory: directory)
            try simulation.run(steps: steps)
            missing.subtract(simulation.reasonsTold)
        }
    }
    return missing.map(\.rawValue).sorted()
}

private func inTemporaryDirectory<R>(_ body: (String) throws -> R) throws -> R {
    let directory = FileManager.default.temporaryDirectory.appending(path: "martlet-simulation-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    return try body(directory.path)
}

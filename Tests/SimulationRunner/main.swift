import Foundation
import MartletSimulation

/// `simulate SEEDS [--steps N] [--start S]`: runs that many seeded simulations; the first that fails ends it.
let usage = "usage: simulate SEEDS [--steps N] [--start S]"

/// Says what is wrong with the arguments and leaves.
func refuse(_ reason: String) -> Never {
    FileHandle.standardError.write(Data("simulate: \(reason)\n\(usage)\n".utf8))
    exit(64)
}

/// The count of seeds, the steps of each, and the first seed.
func parse(_ arguments: [String]) -> (seeds: UInt64, steps: Int, start: UInt64) {
    var (seeds, steps, start): (UInt64?, Int, UInt64) = (nil, 300, 1)
    var rest = arguments[...]
    while let argument = rest.popFirst() {
        switch argument {
        case "--steps":
            guard let value = rest.popFirst().flatMap({ Int($0) }), value > 0 else { refuse("--steps wants a number") }
            steps = value
        case "--start":
            guard let value = rest.popFirst().flatMap({ UInt64($0) }) else { refuse("--start wants a number") }
            start = value
        default:
            guard seeds == nil, let value = UInt64(argument) else { refuse("unknown argument '\(argument)'") }
            seeds = value
        }
    }
    guard let seeds else { refuse("how many seeds?") }
    guard !start.addingReportingOverflow(seeds).overflow else { refuse("--start is too large") }
    return (seeds, steps, start)
}

let (seeds, steps, start) = parse(Array(CommandLine.arguments.dropFirst()))
var progress = Progress(seeds: seeds)
for seed in start..<start + seeds {
    do {
        progress.finished(operations: try runSimulation(seed: seed, steps: steps), steps: steps)
    } catch {
        progress.clear()
        print("FAILED: \(error)")
        print("replay with: tools/simulate 1 --start \(seed) --steps \(steps)")
        exit(1)
    }
}
progress.summarise()

import Foundation
import MartletSimulation

/// `simulate SEEDS [--steps N] [--start S] [--log N] [--all]`: runs that many seeded simulations. The first that fails
/// ends it, unless all are wanted; of the last N things that one did it tells.
let usage = "usage: simulate SEEDS [--steps N] [--start S] [--log N] [--all]"

/// Says what is wrong with the arguments and leaves.
func refuse(_ reason: String) -> Never {
    FileHandle.standardError.write(Data("simulate: \(reason)\n\(usage)\n".utf8))
    exit(64)
}

/// What is to be run.
struct Orders {
    var seeds: UInt64 = 0
    var steps = 300
    var start: UInt64 = 1
    var logged = 25
    var runsAll = false
}

func parse(_ arguments: [String]) -> Orders {
    var orders = Orders()
    var seeds: UInt64?
    var rest = arguments[...]
    func number<N: FixedWidthInteger>(_ name: String, from least: N) -> N {
        guard let value = rest.popFirst().flatMap({ N($0) }), value >= least else { refuse("\(name) wants a number") }
        return value
    }
    while let argument = rest.popFirst() {
        switch argument {
        case "--steps": orders.steps = number(argument, from: 1)
        case "--start": orders.start = number(argument, from: 0)
        case "--log": orders.logged = number(argument, from: 1)
        case "--all": orders.runsAll = true
        default:
            guard seeds == nil, let value = UInt64(argument) else { refuse("unknown argument '\(argument)'") }
            seeds = value
        }
    }
    guard let seeds else { refuse("how many seeds?") }
    guard !orders.start.addingReportingOverflow(seeds).overflow else { refuse("--start is too large") }
    orders.seeds = seeds
    return orders
}

let orders = parse(Array(CommandLine.arguments.dropFirst()))
var progress = Progress(seeds: orders.seeds)
for seed in orders.start..<orders.start + orders.seeds {
    do {
        let compared = try runSimulation(seed: seed, steps: orders.steps, logged: orders.logged)
        progress.finished(operations: compared, steps: orders.steps)
    } catch {
        progress.failed()
        print("FAILED: \(error)")
        print("replay with: tools/simulate 1 --start \(seed) --steps \(orders.steps)")
        if !orders.runsAll { exit(1) }
    }
}
progress.summarise()
exit(progress.failures == 0 ? 0 : 1)

import Foundation

/// Tells how far the run is: a line a second that overwrites itself, on a terminal only.
struct Progress {
    let seeds: UInt64
    private let started = ContinuousClock.now
    private var shown = ContinuousClock.now
    private var done: UInt64 = 0
    private var steps = 0
    private var operations = 0
    private(set) var failures = 0
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    init(seeds: UInt64) { self.seeds = seeds }

    mutating func finished(operations: Int, steps: Int) {
        done += 1
        self.steps += steps
        self.operations += operations
        guard isTerminal, shown.duration(to: .now) >= .seconds(1) else { return }
        shown = .now
        FileHandle.standardOutput.write(Data("\r\u{1B}[K\(line)".utf8))
    }

    /// The line makes room for what is told of it.
    mutating func failed() {
        failures += 1
        clear()
    }

    private func clear() {
        if isTerminal { FileHandle.standardOutput.write(Data("\r\u{1B}[K".utf8)) }
    }

    func summarise() {
        clear()
        print("\(line), \(failures) failures")
    }

    private var line: String {
        let seconds = max(0.001, started.duration(to: .now) / .seconds(1))
        let rate = String(format: "%.1f seeds/s, %.0f steps/s", Double(done) / seconds, Double(steps) / seconds)
        return "\(done) of \(seeds) seeds, \(steps) steps, \(operations) answers compared, \(rate)"
    }
}

import Foundation
import MartletEngine
import MartletProtocol
import MartletStorage

/// What a hand-out of a FAIR queue costs with many groups, as a ratio to one group, in one run. Usage:
/// `engine-bench fair [tasks] [groups]`; it fails if the ratio is above two.
struct FairBenchmark {
    private static let mostRatio = 2.0
    private static let start: Timestamp = 1_800_000_000_000
    private static let queue = Array("bench".utf8)

    let tasks: Int
    let groups: Int

    func run() throws -> Bool {
        // Turn about, and the best of each: what others do to the machine falls on both.
        var best = (one: Double.infinity, many: Double.infinity)
        for _ in 0..<3 {
            best.one = min(best.one, try cost(of: 1))
            best.many = min(best.many, try cost(of: groups))
        }
        let ratio = best.many / best.one
        print(
            "\(tasks) tasks: a hand-out costs \(format(best.one)) µs CPU with one group,",
            "\(format(best.many)) with \(groups): \(format(ratio)) times (at most \(format(Self.mostRatio)))")
        return ratio <= Self.mostRatio
    }

    private func format(_ value: Double) -> String { String(format: "%.2f", value) }

    /// Microseconds of CPU a hand-out takes, over all tasks of a queue that are spread over so many groups.
    private func cost(of groups: Int) throws -> Double {
        let directory = NSTemporaryDirectory() + "/martlet-fair-bench-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let store = try TaskStore(directory: directory, now: Self.start, seed: 1)
        defer { store.close() }
        try fill(store, groups)
        try store.settle()
        let begin = clock()
        var done = 0
        while done < tasks {
            try store.write(now: Self.start + 1) { (engine, transaction) throws(StorageError) in
                let reserve = ReserveRequest(queues: [Self.queue], count: 100)
                if case .handedOut(let taken) = try engine.apply(
                    .reserve(reserve), now: Self.start + 1, in: transaction)
                {
                    done += taken.count
                }
            }
        }
        return Double(clock() - begin) / Double(CLOCKS_PER_SEC) / Double(done) * 1e6
    }

    private func fill(_ store: TaskStore, _ groups: Int) throws {
        var options = QueueOptions()
        options.fair = true
        let fair = QueueSetRequest(queue: Self.queue, given: [.fair], options: options)
        try store.write(now: Self.start) { (engine, transaction) throws(StorageError) in
            _ = try engine.apply(.queueSet(fair), now: Self.start, in: transaction)
        }
        var add = AddRequest(queue: Self.queue, type: Array("job".utf8), payload: [UInt8](repeating: 120, count: 64))
        for first in stride(from: 0, to: tasks, by: 1_000) {
            try store.write(now: Self.start) { (engine, transaction) throws(StorageError) in
                for number in first..<min(tasks, first + 1_000) {
                    add.options.group = Array("group-\(number % groups)".utf8)
                    _ = try engine.apply(.add(add), now: Self.start, in: transaction)
                }
            }
        }
    }
}

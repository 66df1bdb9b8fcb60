import Foundation
import MartletEngine
import MartletProtocol
import MartletStorage

/// Measures the engine alone: add, reserve and acknowledge in groups, no sockets. Prints microseconds of CPU and of
/// wall time a job. Usage: `engine-bench [jobs] [jobs a group] [KEEP in ms]`; `engine-bench fair` is a
/// benchmark of its own.
@main
struct EngineBenchmark {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        if CommandLine.arguments.dropFirst().first == "fair" {
            let fair = FairBenchmark(
                tasks: arguments.first ?? 200_000, groups: arguments.dropFirst().first ?? 100_000)
            exit(try fair.run() ? 0 : 1)
        }
        let jobs = arguments.first ?? 200_000
        let size = max(1, arguments.dropFirst().first ?? 85)
        let keep = Int64(arguments.dropFirst(2).first ?? 0)
        let directory = NSTemporaryDirectory() + "/martlet-engine-bench-\(getpid())"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let store = try TaskStore(directory: directory, now: 1_800_000_000_000, seed: 1)
        let begin = (clock(), Date())
        var pipeline = Pipeline(store: store, keep: keep)
        for _ in 0..<max(1, jobs / size) { try pipeline.cycle(size) }
        let cpu = Double(clock() - begin.0) / Double(CLOCKS_PER_SEC)
        let wall = Date().timeIntervalSince(begin.1)
        let done = Double(pipeline.done)
        print(
            "\(pipeline.done) jobs in groups of 3 × \(size): \(format(cpu / done * 1e6)) µs CPU,",
            "\(format(wall / done * 1e6)) µs wall a job")
    }

    private static func format(_ value: Double) -> String { String(format: "%.2f", value) }
}

/// Keeps three stages going in every group: it adds, reserves what the last group added, acknowledges what it reserved.
private struct Pipeline {
    let store: TaskStore
    let keep: Int64
    var now: Int64 = 1_800_000_000_000
    var held: [HandOut] = []
    var done = 0

    init(store: TaskStore, keep: Int64) {
        self.store = store
        self.keep = keep
    }

    mutating func cycle(_ size: Int) throws {
        now += 1
        var options = AddRequest(queue: [], type: [], payload: []).options
        options.keep = keep
        let payload = [UInt8](repeating: 120, count: 256)
        let queue = Array("bench".utf8)
        let type = Array("job".utf8)
        let (now, acknowledged) = (now, held)
        var reserved: [HandOut] = []
        try store.write(now: now) { (engine, transaction) throws(StorageError) in
            for number in 0..<size {
                var options = options
                options.priority = number % 10 + 1
                let add = AddRequest(queue: queue, type: type, payload: payload, options: options)
                _ = try engine.apply(.add(add), now: now, in: transaction)
                let reserve = ReserveRequest(queues: [queue])
                if case .handedOut(let tasks) = try engine.apply(.reserve(reserve), now: now, in: transaction) {
                    reserved += tasks
                }
                guard number < acknowledged.count else { continue }
                let task = acknowledged[number]
                let acknowledge = AcknowledgeRequest(id: task.id, token: task.token)
                _ = try engine.apply(.acknowledge(acknowledge), now: now, in: transaction)
            }
            try engine.serveWaiting(now: now, in: transaction) { _, _ in }
        }
        done += held.count
        held = reserved
    }
}

import Foundation
import Logging
import MartletBench
import MartletBroker
import Testing

/// The load generator against a real broker on a real socket.
@Suite(.timeLimit(.minutes(2)))
struct LoadGeneratorTests {
    /// Starts a broker on a directory of its own, hands a plan that points at it to `body`, and stops it.
    private func withBroker(_ body: (BenchPlan) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: folder) }
        var configuration = BrokerConfiguration()
        configuration.port = 0
        configuration.dataDirectory = folder.path
        let broker = try await BrokerServer.start(
            configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var plan = BenchPlan()
        plan.port = broker.port
        plan.connections = 4
        plan.pipeline = 4
        plan.jobs = 500
        let result: Result<Void, any Error>
        do {
            result = .success(try await body(plan))
        } catch {
            result = .failure(error)
        }
        broker.stop()
        try await broker.waitUntilStopped()
        try result.get()
    }

    @Test(arguments: [BenchPlan.Mode.cycle, .cycleNext, .madd], [false, true])
    func everyModeSeesEachJobExactlyOnce(_ mode: BenchPlan.Mode, _ nonces: Bool) async throws {
        try await withBroker { plan in
            var plan = plan
            plan.mode = mode
            plan.batch = mode == .madd ? 7 : 1
            plan.nonces = nonces
            let report = try await LoadGenerator.run(plan)
            #expect(report.isVerified, "\(report.text)")
            #expect(report.jobs == 500)
            #expect(report.json.contains("\"verified\":true"))
        }
    }

    @Test
    func aDrainSeesWhatWasEnqueuedInOrder() async throws {
        try await withBroker { plan in
            var plan = plan
            plan.mode = .enqueue
            #expect(try await LoadGenerator.run(plan).isVerified)
            plan.mode = .drain
            plan.checksOrder = true
            let report = try await LoadGenerator.run(plan)
            #expect(report.isVerified, "\(report.text)")
        }
    }

    @Test
    func aJobThatNeverComesIsNoticed() async throws {
        try await withBroker { plan in
            var plan = plan
            plan.mode = .enqueue
            plan.jobs = 20
            _ = try await LoadGenerator.run(plan)
            plan.mode = .drain
            plan.jobs = 21
            let report = try await LoadGenerator.run(plan)
            #expect(!report.isVerified)
            #expect(report.text.contains("missing 1"))
        }
    }

    @Test
    func aRefusedCommandEndsTheRunWithItsText() async throws {
        try await withBroker { plan in
            var plan = plan
            plan.queue = String(repeating: "q", count: 300)
            await #expect(throws: BenchError.self) { _ = try await LoadGenerator.run(plan) }
        }
    }
}

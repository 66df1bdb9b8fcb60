import Foundation
import FoundationNetworking
import Logging
import MartletClient
import ServiceLifecycle
import Testing

/// What an orchestrator's probes see.
@Suite(.timeLimit(.minutes(1)))
struct HealthTests {
    private static func probe(_ port: Int, _ path: String, _ method: String = "GET") async throws -> (Int, String) {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(path)")))
        request.httpMethod = method
        request.cachePolicy = .reloadIgnoringLocalCacheData
        let (body, response) = try await URLSession.shared.data(for: request)
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: body, as: UTF8.self))
    }

    /// Probes until the status is as wished: the worker gets there by itself.
    private static func probe(_ port: Int, _ path: String, until status: Int) async throws -> String {
        while true {
            let (now, body) = try await probe(port, path)
            if now == status { return body }
            await Task.yield()
        }
    }

    @Test func aWorkerIsReadyOnceTheBrokerAnswersAndNotWhileItRests() async throws {
        let (quiet, run) = (ScriptedHandOut.orders("quiet"), ScriptedHandOut.orders())
        let asked = Seen<Bool>()
        let server = try await ScriptedServer { words in
            switch words.first {
            case "WORKER.BEAT": asked.all.isEmpty ? run : quiet
            case "WORKER.HELLO": "+OK\r\n"
            default: nil
            }
        }
        var options = WorkerOptions()
        options.beat = .milliseconds(10)
        options.slots = 1
        let logger = Logger(label: "quiet") { _ in SwiftLogNoOpLogHandler() }
        let worker = Worker(
            server.configuration, queues: ["numbers"], handlers: TaskHandlers(), options: options, logger: logger)
        let health = HealthEndpoint(host: "127.0.0.1", port: 0, worker: worker, logger: logger)
        let group = ServiceGroup(services: [health], logger: logger)
        let listening = Task { try await group.run() }
        while health.boundPort == nil { await Task.yield() }
        let port = try #require(health.boundPort)
        #expect(try await Self.probe(port, "/ready").0 == 503, "it does not run yet")
        #expect(try await Self.probe(port, "/live").0 == 200)
        let running = Task { try await worker.run() }
        // Within three beats is narrow for a busy machine: asked until it was so once.
        #expect(try await Self.probe(port, "/ready", until: 200).contains(#""phase":"running""#))
        asked.add(true)
        while worker.health.phase != .quiet { await Task.yield() }
        #expect(try await Self.probe(port, "/ready").1.contains(#""phase":"quiet""#))
        #expect(try await Self.probe(port, "/ready").0 == 503)
        #expect(try await Self.probe(port, "/other").0 == 404)
        #expect(try await Self.probe(port, "/live", "POST").0 == 405)
        #expect(try await Self.probe(port, "/live", "HEAD") == (200, ""))
        running.cancel()
        _ = await running.result
        await group.triggerGracefulShutdown()
        try await listening.value
    }
}

import Foundation
import MartletClient
import Synchronization
import Testing

/// Commands that are cut off anywhere and sent again with the same nonce change nothing the second time.
///
/// Lanes run whole lives through a proxy that cuts connections after a few hundred bytes: add, reserve, acknowledge,
/// log, fail and release, raw, each sent again over new connections until it is answered. Afterwards the counts at the
/// broker are exactly those of the answers. With `MARTLET_SLOW` set it goes on to 10,000 cuts and says how far it is.
@Suite(.timeLimit(.minutes(10)))
struct CutTests {
    private static var wanted: Int { ProcessInfo.processInfo.environment["MARTLET_SLOW"] == nil ? 400 : 10_000 }

    /// What the lanes were told.
    private struct Tally: Sendable {
        var lane: Int
        var added: [TaskID] = []
        var tokens: [Int64] = []
        var completed = 0
        var failed = 0
        var released = 0
    }

    @Test func tenThousandCutsChangeNothing() async throws {
        let broker = try BrokerProcess()
        let proxy = try await CuttingProxy(target: broker.port, seed: 11, budget: 300...1_500)
        let wanted = Self.wanted
        let progress = ProgressLine(total: wanted, label: "cuts")
        let tallies = try await withThrowingTaskGroup(of: Tally.self) { group in
            for lane in 0..<8 { group.addTask { try await Self.live(lane, proxy, until: wanted, progress) } }
            return try await group.reduce(into: [Tally]()) { $0.append($1) }
        }
        progress.end()
        let cuts = try await proxy.cutCount
        #expect(cuts >= wanted)
        let client = MartletClient(broker.configuration)
        #expect(tallies.count == 8)
        for tally in tallies {
            let queue = try await client.queueInfo("lane \(tally.lane)")
            #expect(Set(tally.added).count == tally.added.count, "no add was done twice under two ids")
            #expect(Set(tally.tokens).count == tally.tokens.count, "no hand-out was answered twice")
            #expect(queue.totalAdded == tally.added.count && queue.totalCompleted == tally.completed)
            #expect(queue.totalFailed == tally.failed && queue.active == 0)
            #expect(queue.completed == tally.completed && queue.dead == tally.failed)
            #expect(queue.pending == 0 && queue.scheduled == 0 && queue.cancelled == 0 && queue.expired == 0)
            #expect(tally.tokens.count == tally.completed + tally.failed + tally.released)
            for id in tally.added {
                #expect(try await client.logs(id).collect().map(\.line) == ["one", "two"], "no line was kept twice")
            }
        }
        await client.close()
    }

    /// One queue of its own: what is added is handed out to this lane alone, so every answer is known before.
    private static func live(
        _ lane: Int, _ proxy: CuttingProxy, until wanted: Int, _ progress: ProgressLine
    ) async throws -> Tally {
        let connection = ResendingConnection(port: proxy.port)
        var tally = Tally(lane: lane)
        var number = 0
        while true {
            let cuts = try await proxy.cutCount
            progress.show(cuts)
            guard cuts < wanted else { break }
            let queue = "lane \(lane)"
            func nonce(_ step: String) -> String { "\(lane) \(number) \(step)" }
            let added = try await connection.ask(
                "TASK.ADD", queue, "t", "payload \(number)", "RETRIES", "0", "REQ", nonce("add"))
            let id = try #require(added.text.flatMap { TaskID($0) })
            tally.added.append(id)
            let end = number % 3
            if end == 2 {
                let token = try await reserve(id, connection, queue, nonce("first"), &tally)
                try await connection.expectOK("TASK.RELEASE", "\(id)", token, "REQ", nonce("release"))
                tally.released += 1
            }
            let token = try await reserve(id, connection, queue, nonce("reserve"), &tally)
            try await connection.expectOK("TASK.LOG", "\(id)", token, "one", "two", "REQ", nonce("log"))
            if end == 1 {
                let failed = try await connection.ask("TASK.FAIL", "\(id)", token, "no", "REQ", nonce("fail"))
                #expect(failed["state"]?.text == "DLQ")
                tally.failed += 1
            } else {
                try await connection.expectOK("TASK.ACK", "\(id)", token, "RESULT", "r", "REQ", nonce("ack"))
                tally.completed += 1
            }
            number += 1
        }
        await connection.close()
        return tally
    }

    private static func reserve(
        _ id: TaskID, _ connection: ResendingConnection, _ queue: String, _ nonce: String, _ tally: inout Tally
    ) async throws -> String {
        let reply = try await connection.ask("TASK.RESERVE", "1", queue, "WORKER", "w", "REQ", nonce)
        let task = try #require(reply.elements?.first, "the task of this lane is there")
        #expect(task["id"]?.text == "\(id)")
        let token = try #require(task["token"]?.integer)
        tally.tokens.append(token)
        return "\(token)"
    }
}

/// A line on standard error that says how far a long test is; only when that is a terminal.
final class ProgressLine: Sendable {
    private let total: Int
    private let label: String
    private let shown = Mutex(0)
    private let isVisible = isatty(STDERR_FILENO) == 1

    init(total: Int, label: String) {
        self.total = total
        self.label = label
    }

    func show(_ count: Int) {
        guard isVisible,
            shown.withLock({ last in
                guard count >= last + max(total / 200, 1) else { return false }
                last = count
                return true
            })
        else { return }
        FileHandle.standardError.write(Data("\r\u{1B}[K\(label): \(count)/\(total)".utf8))
    }

    func end() { if isVisible { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) } }
}

import MartletClient
import Synchronization
import Testing

/// The client before answers a healthy broker seldom gives.
@Suite(.timeLimit(.minutes(1)))
struct ScriptedTests {
    static let id = TaskID(sequence: 77, check: 5)

    /// What RESERVE answers, as the contract draws it.
    static let handOut: String = {
        let fields: [(String, String)] = [
            ("id", "$36\r\n\(id)"), ("queue", "$7\r\nnumbers"), ("type", "$5\r\ntwice"),
            ("payload", "$12\r\n{\"number\":1}"), ("priority", ":5"), ("attempt", ":1"), ("retries", ":3"),
            ("token", ":9"), ("lease_ms", ":60"), ("deadline", ":1"), ("enqueued_at", ":1"), ("run_at", ":1"),
            ("meta", "%0"), ("tags", "*0"), ("last_error", "_"),
        ]
        let body = fields.map { "$\($0.0.utf8.count)\r\n\($0.0)\r\n\($0.1)\r\n" }.joined()
        return "*1\r\n%\(fields.count)\r\n\(body)"
    }()

    @Test func silenceEndsWithTheDeadline() async throws {
        let server = try await ScriptedServer { _ in nil }
        var configuration = server.configuration
        configuration.commandTimeout = .milliseconds(100)
        let client = MartletClient(configuration)
        await #expect {
            try await client.connect()
        } throws: {
            if case .timedOut("PING")? = $0 as? MartletError { true } else { false }
        }
        await client.close()
    }

    @Test func aSilentConnectionIsMadeAnewAndTheCommandSentAgain() async throws {
        let count = Mutex(0)
        let server = try await ScriptedServer { words in
            guard words.first == "PING" else { return nil }
            return count.withLock { pings in
                pings += 1
                return pings == 1 ? nil : "+PONG\r\n"
            }
        }
        var configuration = server.configuration
        configuration.silence = .seconds(1)
        let client = MartletClient(configuration)
        try await client.connect()
        #expect(count.withLock { $0 } >= 2)
        await client.close()
    }

    @Test func aRefusedPasswordIsAnErrorAndNotRetried() async throws {
        let greetings = Mutex(0)
        let server = try await ScriptedServer { words in
            guard words.first == "HELLO" else { return nil }
            greetings.withLock { $0 += 1 }
            return words == ["HELLO", "3", "AUTH", "default", "wrong"] ? "-WRONGPASS invalid\r\n" : "+OK\r\n"
        }
        var configuration = server.configuration
        configuration.password = "wrong"
        let client = MartletClient(configuration)
        await #expect {
            try await client.connect()
        } throws: {
            if case .connection("WRONGPASS invalid")? = $0 as? MartletError { true } else { false }
        }
        #expect(greetings.withLock { $0 } == 1)
        await client.close()
    }

    @Test func pushesAreNoReplies() async throws {
        let server = try await ScriptedServer { words in
            words.first == "PING" ? ">2\r\n$9\r\nkeepalive\r\n:1\r\n+PONG\r\n>1\r\n+x\r\n" : nil
        }
        let client = MartletClient(server.configuration)
        for _ in 0..<3 { try await client.connect() }
        await client.close()
    }

    @Test func aStoppingBrokerIsAskedAgainWithTheSameNonce() async throws {
        let refused = Mutex(false)
        let server = try await ScriptedServer { words in
            guard words.first == "TASK.ADD" else { return nil }
            return refused.withLock { refused in
                defer { refused = true }
                return refused ? "$36\r\n\(Self.id)\r\n" : "-STOPPING the broker is stopping\r\n"
            }
        }
        let client = MartletClient(server.configuration)
        #expect(try await client.enqueue(.init(number: 1), as: Twice.self).id == Self.id)
        let (first, second) = (await server.next("TASK.ADD"), await server.next("TASK.ADD"))
        #expect(first != nil && first == second && first?.contains("REQ") == true)
        await client.close()
    }

    @Test func moreCommandsThanAllowedAreRefusedHere() async throws {
        let server = try await ScriptedServer { _ in nil }
        var configuration = server.configuration
        configuration.outstandingCommands = 0
        let client = MartletClient(configuration)
        await #expect {
            try await client.connect()
        } throws: {
            if case .overloaded? = $0 as? MartletError { true } else { false }
        }
        await client.close()
    }

    @Test func aLostLeaseCancelsTheHandlerAndItsOutcomeIsDropped() async throws {
        let given = Mutex(false)
        let server = try await ScriptedServer { words in
            switch words.first {
            case "TASK.RESERVE":
                return given.withLock { given -> String? in
                    defer { given = true }
                    return given ? nil : Self.handOut
                }
            case "TASK.TOUCH": return "-LEASELOST the lease of this task is over\r\n"
            default: return nil
            }
        }
        let cancelled = Gate()
        var handlers = TaskHandlers()
        handlers.register(Twice.self) { payload, _ in
            await withTaskCancellationHandler {
                await cancelled.wait()
            } onCancel: {
                cancelled.open()
            }
            return .init(number: payload.number)
        }
        var options = WorkerOptions()
        options.slots = 1
        let worker = Worker(server.configuration, queues: ["numbers"], handlers: handlers, options: options)
        let running = Task { try await worker.run() }
        var heard: [String] = []
        for await command in server.commands {
            heard.append(command.first ?? "")
            if heard.filter({ $0 == "TASK.RESERVE" }).count == 2 { break }
        }
        #expect(heard.first == "TASK.RESERVE" && heard.contains("TASK.TOUCH"))
        #expect(Set(heard).isDisjoint(with: ["TASK.ACK", "TASK.FAIL", "TASK.RELEASE"]))
        running.cancel()
        _ = await running.result
    }
}

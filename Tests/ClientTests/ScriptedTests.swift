import MartletClient
import Synchronization
import Testing

/// The client before answers a healthy broker seldom gives.
@Suite(.timeLimit(.minutes(1)))
struct ScriptedTests {
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
                return refused
                    ? "%2\r\n$2\r\nid\r\n$36\r\n\(ScriptedHandOut.id)\r\n$7\r\ncreated\r\n#t\r\n"
                    : "-STOPPING the broker is stopping\r\n"
            }
        }
        let client = MartletClient(server.configuration)
        #expect(try await client.enqueue(.init(number: 1), as: Twice.self).id == ScriptedHandOut.id)
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
}

import FoundationEssentials
import Glibc
import MartletBroker
import MartletProtocol
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ConnectionTests {
    @Test(arguments: [
        ("*x\r\n", "-ERR Protocol error: invalid multibulk length\r\n"),
        ("*1\r\n$-5\r\n", "-ERR Protocol error: invalid bulk length\r\n"),
        ("*1\r\nPING\r\n", "-ERR Protocol error: expected '$', got 'P'\r\n"),
        ("ECHO \"a\r\n", "-ERR Protocol error: unbalanced quotes in request\r\n"),
        (String(repeating: "a", count: 70_000), "-ERR Protocol error: too big inline request\r\n"),
        (
            "POST / HTTP/1.1\r\nHost: x\r\n\r\n",
            "-ERR unknown command 'POST', with args beginning with: '/' 'HTTP/1.1' \r\n"
        ),
    ])
    func `what is not RESP is named and ends the connection`(bytes: String, reply: String) async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            try client.send("PING\r\n" + bytes)
            #expect(try client.rest() == "+PONG\r\n" + reply)
        }
    }

    @Test func `a pipeline cut anywhere is answered in order`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let bytes = (0..<50).flatMap { RawClient.encode(["ECHO", "message \($0)"]) }
            for piece in stride(from: 0, to: bytes.count, by: 7) {
                try client.send(Array(bytes[piece..<min(piece + 7, bytes.count)]))
            }
            for number in 0..<50 { #expect(try client.reply().text == "message \(number)") }
        }
    }

    @Test func `ten thousand commands in one write are answered, more than a group has`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            let command = RawClient.encode(["TASK.ADD", "q", "t", "p"])
            try client.send(Array(repeatElement(command, count: 10_000).joined()))
            var last = ""
            for _ in 0..<10_000 {
                let id = try #require(try client.reply().text)
                #expect(id > last)
                last = id
            }
            #expect(try client.call("ZCARD", "@queue:q:pending").integer == 10_000)
        }
    }

    @Test func `a connection is named, described and made as new`() async throws {
        try await withBroker { broker in
            let client = try broker.connect()
            #expect(try client.call("CLIENT", "SETNAME", "me") == .simple("OK"))
            #expect(try client.call("CLIENT", "GETNAME").text == "me")
            #expect(try client.call("CLIENT", "SETNAME", "a b").errorLine != nil)
            #expect(try client.call("CLIENT", "SETINFO", "LIB-NAME", "x") == .simple("OK"))
            #expect(try client.call("CLIENT", "LIST").text?.contains("name=me ") == true)
            let tracking = try client.call("CLIENT", "TRACKING", "on").errorLine
            #expect(tracking?.hasPrefix("ERR unknown subcommand 'TRACKING'") == true)
            #expect(try client.call("SELECT", "1").errorLine == "ERR DB index is out of range")
            #expect(try client.call("HELLO", "4").errorLine == "NOPROTO unsupported protocol version")
            #expect(try client.call("RESET") == .simple("RESET"))
            #expect(try client.call("CLIENT", "GETNAME").isNull)
            try client.send(["QUIT"])
            #expect(try client.rest() == "+OK\r\n")
        }
    }

    @Test func `without the password only AUTH, HELLO and QUIT do anything`() async throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "password-\(UUID().uuidString)")
        try Data("s3cret\n".utf8).write(to: file)
        defer { unlink(file.path) }
        try await withBroker({ $0.passwordFile = file.path }) { broker in
            let client = try broker.connect()
            #expect(try client.call("PING").errorLine == "NOAUTH Authentication required.")
            #expect(try client.call("TASK.ADD", "q", "t", "p").errorLine == "NOAUTH Authentication required.")
            #expect(try client.call("HELLO", "3").errorLine?.hasPrefix("NOAUTH HELLO must be called") == true)
            let wrong = "WRONGPASS invalid username-password pair or user is disabled."
            #expect(try client.call("AUTH", "guess").errorLine == wrong)
            #expect(try client.call("AUTH", "root", "s3cret").errorLine == wrong)
            #expect(try client.call("HELLO", "3", "AUTH", "default", "s3cret")["proto"]?.integer == 3)
            #expect(try client.call("QUEUE.LIST") == .array([]))
            let greedy = try broker.connect()
            try greedy.send("*1000\r\n")
            #expect(try greedy.rest() == "-ERR Protocol error: unauthenticated multibulk length\r\n")
        }
    }

    @Test func `other addresses than loopback need a password`() async throws {
        let error = await #expect(throws: StartError.self) { try await RunningBroker.start { $0.bind = "0.0.0.0" } }
        #expect(error?.exitCode == EX_CONFIG && error?.description.contains("--password-file") == true)
    }

    @Test func `an occupied port and an occupied directory are named`() async throws {
        try await withBroker { broker in
            let port = await #expect(throws: StartError.self) {
                try await RunningBroker.start { $0.port = broker.server.port }
            }
            #expect(port?.exitCode == EX_UNAVAILABLE && port?.description.contains("in use") == true)
            let directory = await #expect(throws: StartError.self) {
                try await RunningBroker.start(in: broker.directory)
            }
            #expect(directory?.exitCode == EX_TEMPFAIL)
        }
    }

    @Test func `one client too many is told so`() async throws {
        try await withBroker({ $0.maxClients = 2 }) { broker in
            let (first, second) = (try broker.connect(), try broker.connect())
            #expect(try first.call("PING") == .simple("PONG") && second.call("PING") == .simple("PONG"))
            #expect(try broker.connect().rest() == "-ERR max number of clients reached\r\n")
        }
    }

    @Test func `what was answered is there after a stop and a start`() async throws {
        let broker = try await RunningBroker.start()
        let id = try #require(try broker.connect().call("TASK.ADD", "q", "t", "kept").text)
        try await broker.stop()
        let again = try await RunningBroker.start(in: broker.directory)
        #expect(try again.connect().call("TASK.GET", id, "PAYLOAD")["payload"]?.text == "kept")
        try await again.remove()
    }
}

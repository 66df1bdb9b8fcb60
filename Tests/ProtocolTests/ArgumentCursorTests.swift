import MartletProtocol
import Testing

@Suite struct ArgumentCursorTests {
    static func cursor(_ words: String...) -> ArgumentCursor {
        ArgumentCursor(Request((["CMD"] + words).map { Array($0.utf8) }))
    }

    @Test func `keywords compare without regard to case, and a long word equals none`() {
        let request = Request(
            ["task.reserve", "zremrangebyscore", "zremrangebyscorex", "", "a\0"].map { Array($0.utf8) })
        #expect(request.keyword(0) == Keyword("TASK.RESERVE"))
        #expect(request.keyword(1) == Keyword("ZREMRANGEBYSCORE"))
        #expect(request.keyword(2) == .none && request.keyword(3) == .none && request.keyword(4) == .none)
        #expect(Keyword("TASK.ADD") != Keyword("TASK.ADDX") && Keyword("A") != Keyword("B"))
    }

    @Test(arguments: [
        "", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "-9223372036854775809",
        "99999999999999999999999999",
    ])
    func `what is not a 64-bit decimal integer is refused, and the option named`(text: String) {
        var cursor = Self.cursor(text)
        let error = #expect(throws: CommandError.self) { try cursor.integer("LEASE") }
        #expect(error?.message.contains("value is not an integer or out of range") == true)
        #expect(error?.message.contains("LEASE") == true)
    }

    @Test func `integers are read at both ends of their range`() throws {
        var cursor = Self.cursor("9223372036854775807", "-9223372036854775808", "0", "10", "9007199254740992")
        #expect(try cursor.integer("x") == .max)
        #expect(try cursor.integer("x") == .min)
        #expect(try cursor.integer("x") == 0)
        #expect(try cursor.integer("PRIORITY", in: Limits.priority) == 10)
        #expect(try cursor.time("AT") == Limits.latestTime)
        var past = Self.cursor("11", "9007199254740993", "-1")
        #expect(throws: CommandError.self) { try past.integer("PRIORITY", in: Limits.priority) }
        #expect(throws: CommandError.self) { try past.time("AT") }
        #expect(throws: CommandError.self) { try past.duration("DELAY") }
    }

    @Test func `names are measured in bytes and queues are plain text`() throws {
        let longest = String(repeating: "q", count: 128)
        var cursor = Self.cursor(longest, longest + "q", "a\nb", "é", "")
        #expect(try cursor.queue() == Array(longest.utf8))
        #expect(throws: CommandError.self) { try cursor.queue() }
        #expect(throws: CommandError.self) { try cursor.queue() }
        #expect(try cursor.queue() == Array("é".utf8))
        #expect(throws: CommandError.self) { try cursor.queue() }
        var bytes = ArgumentCursor(Request([[0], [0xFF, 0xFE], [0xC2, 0x85]]))
        #expect(throws: CommandError.self) { try bytes.queue() }
        #expect(throws: CommandError.self) { try bytes.queue() }
    }

    @Test func `a doubled or unknown option and a missing value are syntax errors that name the word`() throws {
        var cursor = Self.cursor("REQ", "req", "LEASE")
        #expect(cursor.option() == Keyword("REQ"))
        try cursor.once(3)
        #expect(cursor.option() == Keyword("REQ"))
        #expect(throws: CommandError(.error, "syntax error near 'req'")) { try cursor.once(3) }
        #expect(cursor.option() == Keyword("LEASE"))
        #expect(throws: CommandError(.error, "syntax error near 'LEASE'")) { try cursor.duration("LEASE") }
        #expect(cursor.option() == nil)
    }

    @Test func `an announced count that cannot follow is refused before anything is allocated`() {
        var cursor = Self.cursor("100000", "a", "b")
        #expect(throws: CommandError.self) { try cursor.count("TASKS", in: Limits.manyCount, each: 2) }
    }

    @Test func `a payload is taken up to the limit and TOOBIG past it`() throws {
        let most = Bytes(repeating: 1, count: Limits.payload)
        var cursor = ArgumentCursor(Request([[], most, most + [1]]))
        #expect(try cursor.payload("payload").count == Limits.payload)
        let error = #expect(throws: CommandError.self) { try cursor.payload("payload") }
        #expect(error?.code == .tooBig)
    }

    @Test func `the fingerprint is stable, and sees every argument but those left out`() {
        func fingerprint(_ words: [String], omitting: Range<Int> = 0..<0) -> UInt64 {
            Request(words.map { Array($0.utf8) }).fingerprint(seed: 7, from: 1, omitting: omitting)
        }
        let words = ["ADD", "queue", "a payload of some length", "REQ", "n1"]
        #expect(fingerprint(words) == 18_033_690_108_081_228_870)
        #expect(fingerprint(words, omitting: 3..<5) == fingerprint(["add", "queue", "a payload of some length"]))
        #expect(fingerprint(["", "ab", "c"]) != fingerprint(["", "a", "bc"]))
        #expect(fingerprint(["", "a", ""]) != fingerprint(["", "", "a"]))
        #expect(fingerprint(["", "a\0"]) != fingerprint(["", "a"]))
        #expect(fingerprint(["", "12345678"]) != fingerprint(["", "12345679"]))
    }

    @Test func `user text in a message is cut and has no control characters`() {
        #expect(Request.printable(Array("a\r\nb\u{7F}é".utf8)) == "a  b é")
        #expect(Request.printable(Bytes(repeating: 65, count: 500), limit: 10).utf8.count == 10)
    }
}

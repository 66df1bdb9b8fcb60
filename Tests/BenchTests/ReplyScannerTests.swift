import MartletBench
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ReplyScannerTests {
    private let reserve = "*1\r\n*6\r\n$2\r\nid\r\n$3\r\nabc\r\n$4\r\nmeta\r\n*0\r\n$5\r\ntoken\r\n:7\r\n"

    /// The leaves of the first reply in `text`, as text, and where it ends.
    private func scan(_ text: some Sequence<UInt8>) throws -> (leaves: [String], end: Int)? {
        var scanner = ReplyScanner()
        let bytes = Array(text)
        guard let end = try scanner.scan(bytes.span, from: 0) else { return nil }
        return (scanner.leaves.map { String(decoding: bytes[$0.range], as: UTF8.self) }, end)
    }

    @Test
    func leavesOfNestedArraysComeInOrderAndEmptyArraysHaveNone() throws {
        let found = try #require(try scan((reserve + "+OK\r\n").utf8))
        #expect(found.leaves == ["id", "abc", "meta", "token", "7"])
        #expect(found.end == reserve.utf8.count)
    }

    @Test
    func noPrefixOfAReplyIsTakenForTheWhole() throws {
        for length in 0..<reserve.utf8.count {
            #expect(try scan(reserve.utf8.prefix(length)) == nil, "at \(length)")
        }
    }

    @Test(arguments: ["*-1\r\n", "$-1\r\n"])
    func bothNullsAreOneLeafOfTheirOwnKind(_ text: String) throws {
        var scanner = ReplyScanner()
        #expect(try scanner.scan(Array(text.utf8).span, from: 0) == 5)
        #expect(scanner.leaves.map(\.kind) == [ReplyScanner.null])
    }

    @Test
    func aLineEndInsideABulkStringIsContent() throws {
        let found = try #require(try scan("$6\r\na\r\nb\r\n\r\n".utf8))
        #expect(found.leaves == ["a\r\nb\r\n"])
    }

    @Test(arguments: ["?1\r\n", "$x\r\n", "*99999999999999999999\r\n", "$-2\r\n", "*9999999\r\n"])
    func whatIsNoReplyIsRefused(_ text: String) {
        var scanner = ReplyScanner()
        #expect(throws: BenchError.self) { try scanner.scan(Array(text.utf8).span, from: 0) }
    }
}

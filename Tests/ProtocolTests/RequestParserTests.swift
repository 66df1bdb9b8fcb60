import MartletProtocol
import NIOCore
import Testing

/// What a parser finds in some bytes: the requests in order, then how it ended.
struct Parsed: Hashable {
    var requests: [[String]] = []
    var tooBig = 0
    var violation: ProtocolViolation?
    /// Bytes of an unfinished request still in the buffer.
    var left = 0
}

/// Feeds `pieces` one after the other, as a connection does.
func parse(_ pieces: [[UInt8]], _ parser: RequestParser = RequestParser()) -> Parsed {
    var (parser, buffer, parsed) = (parser, ByteBuffer(), Parsed())
    for piece in pieces {
        buffer.writeBytes(piece)
        while parsed.violation == nil {
            let outcome = parser.next(in: &buffer)
            if outcome == .incomplete { break }
            switch outcome {
            case .incomplete: break
            case .invalid(let violation): parsed.violation = violation
            case .tooBig: parsed.tooBig += 1
            case .request:
                let request = parser.request(in: buffer)
                parsed.requests.append((0..<request.count).map { String(decoding: request.bytes($0), as: UTF8.self) })
            }
            guard parsed.violation == nil else { break }
            buffer.moveReaderIndex(forwardBy: parser.consumed)
            parser.advance()
        }
        buffer.discardReadBytes()
    }
    parsed.left = buffer.readableBytes
    return parsed
}

func parse(_ text: String, _ parser: RequestParser = RequestParser()) -> Parsed { parse([Array(text.utf8)], parser) }

@Suite(.timeLimit(.minutes(1)))
struct RequestParserTests {
    static let pipeline =
        "*2\r\n$4\r\nECHO\r\n$3\r\na\r\n\r\n*0\r\n\r\nPING 'a b'  \"c\\x41\\n\"\r\n*-1\r\n*1\r\n$0\r\n\r\n"
        + "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\n0123456789ab\r\nQUIT\n"

    @Test func `every way to cut a pipeline in two yields the same requests`() {
        let bytes = Array(Self.pipeline.utf8)
        let whole = parse([bytes])
        #expect(
            whole.requests == [
                ["ECHO", "a\r\n"], ["PING", "a b", "cA\n"], [""], ["SET", "k", "0123456789ab"], ["QUIT"],
            ])
        #expect(whole.left == 0 && whole.violation == nil)
        for cut in 0...bytes.count {
            #expect(parse([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole, "cut at \(cut)")
        }
        #expect(parse(bytes.map { [$0] }) == whole)
    }

    @Test func `a request too big to keep is skipped as it arrives and the next one is found`() {
        var limits = RequestLimits()
        (limits.argument, limits.request) = (20, 60)
        let parser = RequestParser(limits: limits)
        let long = "*2\r\n$3\r\nSET\r\n$21\r\n" + String(repeating: "x", count: 21) + "\r\n"
        let many = "*9\r\n" + String(repeating: "$9\r\n123456789\r\n", count: 9)
        let bytes = Array((long + "PING\r\n" + many + "*1\r\n$4\r\nECHO\r\n").utf8)
        for size in [1, 2, 3, 7, 50, bytes.count] {
            let pieces = stride(from: 0, to: bytes.count, by: size).map {
                Array(bytes[$0..<min($0 + size, bytes.count)])
            }
            let parsed = parse(pieces, parser)
            #expect(parsed.requests == [["PING"], ["ECHO"]] && parsed.tooBig == 2 && parsed.left == 0, "by \(size)")
        }
        #expect(parse("*2\r\n$3\r\nSET\r\n$20\r\n01234567890123456789\r\n", parser).requests.count == 1)
    }

    @Test func `an announced length allocates nothing`() {
        var (parser, buffer) = (RequestParser(), ByteBuffer(string: "*1048576\r\n$536870912\r\nabc"))
        #expect(parser.next(in: &buffer) == .incomplete)
        #expect(buffer.readableBytes == 0, "what is too big is dropped at once")
        #expect(parser.found == 0)
    }

    @Test(arguments: [
        ("*1048577\r\n", ProtocolViolation.invalidMultibulkLength),
        ("*x\r\n", .invalidMultibulkLength),
        ("*\r\n", .invalidMultibulkLength),
        ("*01\r\n", .invalidMultibulkLength),
        ("*+1\r\n", .invalidMultibulkLength),
        ("*1\rx", .invalidMultibulkLength),
        ("*99999999999999999999999\r\n", .invalidMultibulkLength),
        ("*1\r\nx\r\n", .expectedDollar(UInt8(ascii: "x"))),
        ("*1\r\n*1\r\n", .expectedDollar(UInt8(ascii: "*"))),
        ("*1\r\n\r\n", .expectedDollar(UInt8(ascii: "\r"))),
        ("*1\r\n$-1\r\n", .invalidBulkLength),
        ("*1\r\n$536870913\r\n", .invalidBulkLength),
        ("*1\r\n$9223372036854775808\r\n", .invalidBulkLength),
        ("*1\r\n$1x\r\n", .invalidBulkLength),
        ("*1\r\n$1\r\nabc", .missingLineEnd),
        ("ECHO \"a\r\n", .unbalancedQuotes),
        ("ECHO 'a'b\r\n", .unbalancedQuotes),
        (String(repeating: "x", count: 65_537), .tooBigInline),
        ("*" + String(repeating: "1", count: 65_537), .tooBigCount),
        ("*1\r\n$" + String(repeating: "1", count: 65_537), .tooBigBulkCount),
    ])
    func `bytes that are not RESP are named`(bytes: String, violation: ProtocolViolation) {
        let pieces = Array(bytes.utf8)
        #expect(parse([pieces]).violation == violation)
        if pieces.count < 100 { #expect(parse(pieces.map { [$0] }).violation == violation) }
    }

    @Test func `limits hold at the last byte that is allowed`() {
        #expect(parse("*1048576\r\n").violation == nil)
        #expect(parse("*1\r\n$536870912\r\n").violation == nil)
        #expect(parse(String(repeating: "x", count: 65_535) + "\n").requests.count == 1)
        #expect(parse("*1\r\n" + String(repeating: "$", count: 1)).violation == nil)
    }

    @Test func `before AUTH only little is taken`() {
        let parser = RequestParser(isAuthenticated: false)
        #expect(parse("*11\r\n", parser).violation == .unauthenticatedMultibulk)
        #expect(parse("*1\r\n$16385\r\n", parser).violation == .unauthenticatedBulk)
        #expect(parse("*10\r\n$16384\r\n", parser).violation == nil)
    }

    @Test func `error texts are those of Redis`() {
        #expect(ProtocolViolation.expectedDollar(0x0A).message == "ERR Protocol error: expected '$', got ' '")
        #expect(ProtocolViolation.invalidBulkLength.message == "ERR Protocol error: invalid bulk length")
    }

    @Test func `going back to a mark finds the same requests again, in the middle of a skipped one too`() {
        var limits = RequestLimits()
        limits.argument = 4
        var (parser, buffer) = (RequestParser(limits: limits), ByteBuffer(string: "*2\r\n$9\r\n0123"))
        #expect(parser.next(in: &buffer) == .incomplete)
        buffer.writeString("45678\r\n$1\r\nx\r\n*1\r\n$4\r\nPING\r\n*1\r\n")
        let (mark, index) = (parser.mark, buffer.readerIndex)
        for _ in 0..<2 {
            #expect(parser.next(in: &buffer) == .tooBig)
            buffer.moveReaderIndex(forwardBy: parser.consumed)
            parser.advance()
            #expect(parser.next(in: &buffer) == .request)
            #expect(parser.request(in: buffer).bytes(0) == Array("PING".utf8))
            buffer.moveReaderIndex(forwardBy: parser.consumed)
            parser.advance()
            #expect(parser.next(in: &buffer) == .incomplete)
            parser.rewind(to: mark)
            buffer.moveReaderIndex(to: index)
        }
    }
}

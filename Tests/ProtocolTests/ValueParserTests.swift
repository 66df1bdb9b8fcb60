import MartletProtocol
import NIOCore
import Testing

/// What a stream means, fed whole, split anywhere, and past every limit.
@Suite(.timeLimit(.minutes(1)))
struct ValueParserTests {
    static let replies: [(wire: String, value: RESPValue)] = [
        ("+OK\r\n", .simple("OK")),
        ("+\r\n", .simple("")),
        ("-NOTASK no task 'x'\r\n", .error("NOTASK no task 'x'")),
        ("!9\r\nERR a\r\nbc\r\n", .error("ERR a\r\nbc")),
        (":-42\r\n", .integer(-42)),
        (":9223372036854775807\r\n", .integer(.max)),
        ("$5\r\nhe\r\no\r\n", .bulk(Bytes("he\r\no".utf8))),
        ("$0\r\n\r\n", .bulk([])),
        ("$-1\r\n", .null),
        ("*-1\r\n", .null),
        ("_\r\n", .null),
        ("*0\r\n", .array([])),
        ("%0\r\n", .map([])),
        ("*2\r\n:1\r\n*1\r\n$1\r\na\r\n", .array([.integer(1), .array([.bulk([0x61])])])),
        (
            "%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n_\r\n",
            .map([
                RESPField(.simple("a"), .integer(1)),
                RESPField(.simple("b"), .map([RESPField(.simple("c"), .null)])),
            ])
        ),
        ("~2\r\n#t\r\n#f\r\n", .set([.boolean(true), .boolean(false)])),
        (">2\r\n$9\r\nkeepalive\r\n:1\r\n", .push([.bulk(Bytes("keepalive".utf8)), .integer(1)])),
        (",1.5\r\n", .double(1.5)),
        (",-inf\r\n", .double(-.infinity)),
        ("(-34928903284092385093248\r\n", .bigNumber("-34928903284092385093248")),
        ("=8\r\ntxt:some\r\n", .verbatim(format: "txt", Bytes("some".utf8))),
        ("|1\r\n+ttl\r\n:3600\r\n:7\r\n", .integer(7)),
        ("*2\r\n|0\r\n:1\r\n|1\r\n+a\r\n*1\r\n:5\r\n:2\r\n", .array([.integer(1), .integer(2)])),
    ]

    @Test(arguments: replies.indices)
    func eachReplyIsReadWholeAndAtEverySplit(index: Int) throws {
        let (wire, value) = Self.replies[index]
        let bytes = Bytes(wire.utf8)
        for split in 0...bytes.count {
            var parser = RESPValueParser()
            var buffer = ByteBuffer(bytes: bytes[..<split])
            let early = try parser.next(from: &buffer)
            #expect((early != nil) == (split == bytes.count), "split at \(split)")
            buffer.writeBytes(bytes[split...])
            let reply = try early ?? parser.next(from: &buffer)
            #expect(reply == value, "split at \(split)")
            #expect(buffer.readableBytes == 0)
        }
    }

    @Test func aPipelineFedByteByByteGivesEveryReplyInOrder() throws {
        var parser = RESPValueParser()
        var buffer = ByteBuffer()
        var read: [RESPValue] = []
        for byte in Self.replies.flatMap({ Bytes($0.wire.utf8) }) {
            buffer.writeInteger(byte)
            while let value = try parser.next(from: &buffer) { read.append(value) }
        }
        #expect(read == Self.replies.map(\.value))
    }

    @Test(arguments: [
        "x\r\n", "\r\n", ":\r\n", ":1a\r\n", ":9223372036854775808\r\n", "$-2\r\n", "$+1\r\n", "$?\r\n",
        "$9223372036854775808\r\n", "$1\r\nab\r\n", "*-2\r\n", "*99999999999999999999\r\n", "%-1\r\n", "#x\r\n",
        "_x\r\n", ",abc\r\n", "(\r\n", "(-\r\n", "(1a\r\n", "=3\r\ntxt\r\n", "=4\r\ntext\r\n", "+a\n",
    ])
    func whatIsNotRESPIsRefused(wire: String) {
        var parser = RESPValueParser()
        var buffer = ByteBuffer(string: wire)
        #expect(throws: RESPValueError.self) { try parser.next(from: &buffer) }
    }

    private static var small: RESPValueLimits {
        var limits = RESPValueLimits()
        limits.depth = 3
        limits.count = 4
        limits.bulk = 10
        limits.line = 12
        limits.total = 20
        return limits
    }

    @Test(arguments: [
        ("*1\r\n*1\r\n*1\r\n:1\r\n", true), ("*1\r\n*1\r\n*1\r\n*1\r\n", false),
        ("*4\r\n:1\r\n:2\r\n:3\r\n:4\r\n", true), ("*5\r\n", false), ("%5\r\n", false),
        ("$10\r\n0123456789\r\n", true), ("$11\r\n", false),
        ("+0123456789a\r\n", true), ("+0123456789abc\r\n", false), ("+0123456789abcde", false),
        ("*2\r\n$10\r\n0123456789\r\n$10\r\n0123456789\r\n", true),
        ("*3\r\n$10\r\n0123456789\r\n$10\r\n0123456789\r\n$1\r\n", false),
    ])
    func limitsHoldAtTheirEdgeBeforeAnythingIsStored(wire: String, allowed: Bool) throws {
        var parser = RESPValueParser(limits: Self.small)
        var buffer = ByteBuffer(string: wire)
        if allowed {
            #expect(try parser.next(from: &buffer) != nil)
        } else {
            #expect(throws: RESPValueError.self) { try parser.next(from: &buffer) }
        }
    }

    @Test func textIsCountedPerReplyAndNotOverTheStream() throws {
        var parser = RESPValueParser(limits: Self.small)
        var buffer = ByteBuffer()
        for _ in 0..<10 {
            buffer.writeString("$10\r\n0123456789\r\n")
            #expect(try parser.next(from: &buffer) == .bulk(Bytes("0123456789".utf8)))
        }
    }

    @Test func arbitraryBytesNeverTrap() {
        var random = SplitMix(state: 7)
        let alphabet = Bytes("*$%~>|+-:,#_(=!0123456789\r\n\r\n\r\nabc".utf8)
        for _ in 0..<20_000 {
            var parser = RESPValueParser(limits: Self.small)
            let bytes = (0..<24).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            var buffer = ByteBuffer(bytes: bytes)
            var values = 0
            while (try? parser.next(from: &buffer)) != nil, values <= bytes.count {
                values += 1
            }
            #expect(values <= bytes.count)
        }
    }
}

/// The same numbers every time.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

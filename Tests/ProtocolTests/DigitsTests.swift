import MartletProtocol
import Testing

@Suite struct DigitsTests {
    /// One argument, in a request that ends with it or goes on behind it.
    private static func requests(_ argument: Bytes) -> [Request] {
        [Request([argument]), Request([argument, Bytes("what else there is".utf8)])]
    }

    /// As the name says it: one byte after the other.
    private static func keyword(_ bytes: Bytes) -> Keyword {
        bytes.contains(0) ? .none : Keyword(String(decoding: bytes, as: UTF8.self))
    }

    @Test func `every byte at every place of a keyword counts, whatever follows`() {
        for length in 0...18 {
            for place in 0..<max(1, length) {
                for byte in UInt8(0)..<128 {
                    var argument = Bytes(repeating: UInt8(ascii: "q"), count: length)
                    if length > 0 { argument[place] = byte }
                    for request in Self.requests(argument) {
                        #expect(request.keyword(0) == Self.keyword(argument), "\(argument)")
                    }
                }
            }
        }
    }

    @Test func `bytes that are no ASCII stay as they are in a keyword`() {
        let seen = Set((UInt8(128)...255).map { Request([[UInt8(ascii: "A"), $0]]).keyword(0) })
        #expect(seen.count == 128 && !seen.contains(.none))
    }

    @Test func `every byte at every place of an id is judged as the plain parser does`() throws {
        let id = TaskID(sequence: 0x0199_d3a1_7c40_1234, check: 0x1f3_5b0c_9e2a_7d41)
        #expect(Request([id.text]).taskID(0) == id)
        for place in 0..<TaskID.textLength {
            for byte in UInt8.min...UInt8.max {
                var text = id.text
                text[place] = byte
                for request in Self.requests(text) { #expect(request.taskID(0) == TaskID(text), "\(place) \(byte)") }
            }
        }
    }

    @Test func `pieces are what the same values are one by one`() {
        for value: Int64 in [
            0, 1, 9, 10, 99, 1_000_000, -1, -10, Int64.max, Int64.max - 1, Int64.min, 999_999_999_999_999_999,
        ] {
            let id = TaskID(sequence: UInt64(bitPattern: value), check: UInt64(bitPattern: value))
            let content = Bytes("content \(value)".utf8)
            var (single, together) = (ReplyWriter(bytes: [1, 2]), ReplyWriter(bytes: [1, 2]))
            single.raw("+OK\r\n")
            single.integer(value)
            single.bulk(content)
            single.bulk(Bytes())
            single.bulk(id)
            together.pieces(atMost: 200) {
                $0.raw("+OK\r\n")
                $0.integer(value)
                $0.bulk(content)
                $0.bulk(Bytes())
                $0.bulk(id)
            }
            #expect(single.bytes == together.bytes)
        }
    }
}

import MartletProtocol
import NIOCore
import Testing

@Suite(.timeLimit(.minutes(1)))
struct ValueTests {
    @Test func aFieldIsFoundInAMapAndInAFlatArray() {
        let map = RESPValue.map([RESPField(.bulk(Bytes("id".utf8)), .integer(1)), RESPField(.simple("x"), .null)])
        let flat = RESPValue.array([.simple("value"), .simple("id"), .simple("id"), .integer(2), .simple("odd")])
        #expect(map["id"] == .integer(1))
        #expect(map["x"]?.isNull == true)
        #expect(map["y"] == nil)
        #expect(flat["id"] == .integer(2))
        #expect(flat["odd"] == nil)
        #expect(RESPValue.integer(1)["id"] == nil)
    }

    @Test func numbersAndFlagsAreReadInBothProtocolsShapes() {
        #expect(RESPValue.bulk(Bytes("12".utf8)).integer == 12)
        #expect(RESPValue.integer(12).integer == 12)
        #expect(RESPValue.null.integer == nil)
        #expect(RESPValue.integer(1).boolean == true)
        #expect(RESPValue.boolean(false).boolean == false)
        #expect(RESPValue.integer(2).boolean == nil)
        #expect(RESPValue.verbatim(format: "txt", Bytes("a".utf8)).text == "a")
    }

    @Test func aCommandIsAnArrayOfBulkStrings() {
        var command = RESPCommand("task.ack", "id", 7, .bytes([0, 13, 10]))
        command.append("REQ", "é")
        var buffer = ByteBuffer()
        command.encode(into: &buffer)
        let wire = "*6\r\n$8\r\ntask.ack\r\n$2\r\nid\r\n$1\r\n7\r\n$3\r\n\0\r\n\r\n$3\r\nREQ\r\n$2\r\né\r\n"
        #expect(String(buffer: buffer) == wire)
        #expect(command.name == "TASK.ACK")
    }

    @Test func whatIsEncodedReadsBackAsTheSameArguments() throws {
        let command = RESPCommand("A", .bytes(Bytes(0...255)), -9_223_372_036_854_775_808, "")
        var buffer = ByteBuffer()
        command.encode(into: &buffer)
        var parser = RESPValueParser()
        let read = try parser.next(from: &buffer)
        let expected: [Bytes] = [[0x41], Bytes(0...255), Bytes("-9223372036854775808".utf8), []]
        #expect(read == .array(expected.map { .bulk($0) }))
    }
}

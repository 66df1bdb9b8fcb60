import MartletProtocol
import NIOCore
import Testing

@Suite struct ReplyWriterTests {
    static func written(_ version: RESPVersion, _ write: (inout ReplyWriter) -> Void) -> String {
        var writer = ReplyWriter(version: version)
        write(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    struct Shape: Sendable {
        var name: String
        var two: String
        var three: String
        var write: @Sendable (inout ReplyWriter) -> Void

        init(_ name: String, _ two: String, _ three: String, _ write: @escaping @Sendable (inout ReplyWriter) -> Void) {
            (self.name, self.two, self.three, self.write) = (name, two, three, write)
        }
    }

    static let shapes = [
        Shape("ok", "+OK\r\n", "+OK\r\n") { $0.ok() },
        Shape("simple", "+PONG\r\n", "+PONG\r\n") { $0.simple("PONG") },
        Shape("error", "-ERR a b\r\n", "-ERR a b\r\n") { $0.error("ERR a\nb") },
        Shape("bulk", "$3\r\na\r\n\r\n", "$3\r\na\r\n\r\n") { $0.bulk("a\r\n") },
        Shape("bytes", "$2\r\n\0\u{1}\r\n", "$2\r\n\0\u{1}\r\n") { $0.bulk([0, 1] as Bytes) },
        Shape("integer text", "$3\r\n-70\r\n", "$3\r\n-70\r\n") { $0.bulk(integer: -70) },
        Shape("null", "$-1\r\n", "_\r\n") { $0.null() },
        Shape("null array", "*-1\r\n", "_\r\n") { $0.nullArray() },
        Shape("array", "*2\r\n", "*2\r\n") { $0.array(2) },
        Shape("map", "*4\r\n", "%2\r\n") { $0.map(2) },
        Shape("set", "*2\r\n", "~2\r\n") { $0.set(2) },
        Shape("push", "*2\r\n", ">2\r\n") { $0.push(2) },
        Shape("true", ":1\r\n", "#t\r\n") { $0.boolean(true) },
        Shape("false", ":0\r\n", "#f\r\n") { $0.boolean(false) },
        Shape("double", "$3\r\n1.5\r\n", ",1.5\r\n") { $0.double(1.5) },
        Shape("whole double", "$1\r\n3\r\n", ",3\r\n") { $0.double(3) },
        Shape("infinite", "$4\r\n-inf\r\n", ",-inf\r\n") { $0.double(-.infinity) },
        Shape("verbatim", "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n") { $0.verbatim("hi") },
    ]

    @Test(arguments: shapes.indices)
    func `every shape is written as the protocol version has it`(index: Int) {
        let shape = Self.shapes[index]
        #expect(Self.written(.two, shape.write) == shape.two, "\(shape.name)")
        #expect(Self.written(.three, shape.write) == shape.three, "\(shape.name)")
    }

    @Test(arguments: [
        0, 1, -1, 9, 10, 99, 100, 256, 9_999_999_999_999_999, 10_000_000_000_000_000, 10_000_000_000_000_001,
        Int64.max, Int64.min, Int64.min + 1, -10_000_000_000_000_000,
    ])
    func `integers are written in full`(value: Int64) {
        #expect(Self.written(.two) { $0.integer(value) } == ":\(value)\r\n")
        let text = String(value)
        #expect(Self.written(.two) { $0.bulk(integer: value) } == "$\(text.utf8.count)\r\n\(text)\r\n")
    }

    @Test func `an id is written in its text form`() {
        let id = TaskID(sequence: 0x0199_d3a1_7c40_81f3, check: 0x1234_5678_9abc)
        #expect(Self.written(.three) { $0.bulk(id) } == "$36\r\n\(id)\r\n")
    }
}

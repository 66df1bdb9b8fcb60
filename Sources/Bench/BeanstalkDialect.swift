import MartletProtocol
import NIOCore

/// beanstalkd's text protocol, one tube a queue; its most urgent priority is 0.
///
///     put |10 - priority| 0 30 |bytes|\r\n|number|filler\r\n      INSERTED <id>\r\n
///     reserve\r\n                                             RESERVED <id> <bytes>\r\n<body>\r\n
///     delete |id|\r\n                                         DELETED\r\n
final class BeanstalkDialect: Dialect {
    /// By priority, from 1.
    private let putHead: [[UInt8]]
    private let putTail: [UInt8]
    private let plan: BenchPlan

    init(_ plan: BenchPlan) {
        self.plan = plan
        putHead = (1...10).map { Array("put \(10 - $0) 0 30 \(plan.payload)\r\n".utf8) }
        putTail = Array("\(payloadFiller(plan.payload - JobNumber.digits))\r\n".utf8)
    }

    /// Puts into the tube and takes from it alone.
    static func setup(_ plan: BenchPlan) -> [[UInt8]] {
        ["use \(plan.queue)\r\n", "watch \(plan.queue)\r\n", "ignore default\r\n"].map { Array($0.utf8) }
    }

    func add(_ numbers: Range<Int>, to output: inout ByteBuffer) {
        for number in numbers {
            output.writeBytes(putHead[plan.priority(of: number) - 1])
            JobNumber.write(number, to: &output)
            output.writeBytes(putTail)
        }
    }

    func reserve(_ count: Int, to output: inout ByteBuffer) { output.writeStaticString("reserve\r\n") }

    func acknowledge(_ tasks: [ReservedTask], in bytes: Span<UInt8>, next: Bool, to output: inout ByteBuffer) {
        for task in tasks {
            output.writeStaticString("delete ")
            // Sound: every bit of a UInt8 belongs to its value.
            unsafe output.writeBytes(bytes.extracting(task.id).bytes)
            output.writeLineEnd()
        }
    }

    func tasks(
        _ leaves: [ReplyScanner.Leaf], in bytes: Span<UInt8>, into tasks: inout [ReservedTask]
    ) throws(BenchError) {
        guard leaves.count == 2 else { throw BenchError("beanstalkd answered a reserve with something else") }
        tasks.append(ReservedTask(id: leaves[0].range, payload: leaves[1].range, token: 0..<0, priority: 0))
    }
}

extension ReplyScanner {
    /// The same for beanstalkd: a reply is a line, and behind a RESERVED the body. Its leaves: of a RESERVED the id and
    /// the body, of what was done nothing, of everything else the line as an error.
    package mutating func scanBeanstalk(_ bytes: Span<UInt8>, from start: Int) throws(BenchError) -> Int? {
        clear()
        guard let line = try lineEnd(bytes, from: start) else { return nil }
        let end = line + 2
        guard bytes[start] == UInt8(ascii: "R"), let words = Self.words(bytes, start..<line) else {
            let done: [StaticString] = ["INSERTED ", "DELETED", "USING ", "WATCHING "]
            if !done.contains(where: { Self.begins(bytes, start..<line, with: $0) }) {
                add(Leaf(kind: Self.error, start: start, end: line))
            }
            return end
        }
        guard let length = JobNumber.decimal(bytes, words.length) else {
            throw BenchError("beanstalkd sent a job without a length")
        }
        guard end + length + 2 <= bytes.count else { return nil }
        add(Leaf(kind: UInt8(ascii: ":"), start: words.id.lowerBound, end: words.id.upperBound))
        add(Leaf(kind: UInt8(ascii: "$"), start: end, end: end + length))
        return end + length + 2
    }

    /// The id and the length in `RESERVED <id> <bytes>`.
    private static func words(_ bytes: Span<UInt8>, _ line: Range<Int>) -> (id: Range<Int>, length: Range<Int>)? {
        guard begins(bytes, line, with: "RESERVED ") else { return nil }
        let id = line.lowerBound + 9
        var space = id
        while space < line.upperBound, bytes[space] != UInt8(ascii: " ") { space += 1 }
        return space < line.upperBound ? (id..<space, space + 1..<line.upperBound) : nil
    }

    private static func begins(_ bytes: Span<UInt8>, _ line: Range<Int>, with word: StaticString) -> Bool {
        let text = Array(word.description.utf8)
        return line.count >= text.count && text.indices.allSatisfy { bytes[line.lowerBound + $0] == text[$0] }
    }
}

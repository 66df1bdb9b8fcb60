import NIOCore

/// The commands a peer understands, as prebuilt bytes with gaps for what differs from job to job.
///
/// On the wire of Martlet, `|` marking the gaps:
///
///     TASK.ADD bench job |number|filler PRIORITY 7 KEEP 0 [REQ prefix|n|]
///     TASK.RESERVE 1 bench [COUNT |n|] [REQ prefix|n|]
///     TASK.ACK |id| |token| [REQ prefix|n|] [NEXT]
protocol Dialect {
    /// Appends the commands that enqueue jobs `numbers`, all in one when there are several.
    func add(_ numbers: Range<Int>, to output: inout ByteBuffer)
    /// Appends the command that reserves up to `count` jobs.
    func reserve(_ count: Int, to output: inout ByteBuffer)
    /// Appends the command that acknowledges `tasks`, found in `bytes`; with `next` it reserves again.
    func acknowledge(_ tasks: [ReservedTask], in bytes: Span<UInt8>, next: Bool, to output: inout ByteBuffer)
    /// Finds the tasks in the leaves of a RESERVE's reply; empty: nothing was there. Throws on another shape.
    func tasks(
        _ leaves: [ReplyScanner.Leaf], in bytes: Span<UInt8>, into tasks: inout [ReservedTask]
    ) throws(BenchError)
}

/// Where the parts of a handed-out task lie in the bytes of the reply.
package struct ReservedTask {
    package var id: Range<Int>
    package var payload: Range<Int>
    /// Empty where the peer has none.
    package var token: Range<Int>
    package var priority: Int

    package init(id: Range<Int>, payload: Range<Int>, token: Range<Int>, priority: Int) {
        self.id = id
        self.payload = payload
        self.token = token
        self.priority = priority
    }
}

extension ByteBuffer {
    /// Appends a bulk string: `bytes[range]`.
    mutating func writeBulk(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        writeBulkHeader(range.count)
        // Sound: every bit of a UInt8 belongs to its value.
        unsafe writeBytes(bytes.extracting(range).bytes)
        writeLineEnd()
    }

    mutating func writeBulkHeader(_ length: Int) {
        writeInteger(UInt8(ascii: "$"))
        writeDecimal(length)
        writeLineEnd()
    }

    mutating func writeLineEnd() { writeInteger(0x0D0A as UInt16) }

    /// Appends a non-negative number in decimal, without allocating.
    mutating func writeDecimal(_ number: Int) {
        var divisor = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            writeInteger(UInt8(truncatingIfNeeded: number / divisor % 10 + 48))
            divisor /= 10
        }
    }
}

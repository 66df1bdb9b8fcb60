import MartletProtocol
import NIOCore

/// Martlet's own commands.
final class MartletDialect: Dialect {
    private let addHead: [UInt8]
    /// By priority, from 1.
    private let addTail: [[UInt8]]
    /// By priority, from 1.
    private let manyHead: [[UInt8]]
    private let itemHead: [UInt8]
    private let itemTail: [UInt8]
    private let reserveHead: [UInt8]
    private let usesNonces: Bool
    private let nonceHead: [UInt8]
    private let plan: BenchPlan
    private var nonce = 0

    /// Leaves of one handed-out task in RESP2: thirteen names with a value, and `meta` and `tags`, which are empty.
    private static let leavesPerTask = 28

    init(_ plan: BenchPlan, run: UInt32) {
        self.plan = plan
        usesNonces = plan.nonces
        let filler = payloadFiller(plan.payload - JobNumber.digits)
        addHead = Self.addHead(plan)
        addTail = (1...10).map { Self.addTail(plan, priority: $0, filler: filler) }
        manyHead = (1...10).map { Self.addManyHead(plan, priority: $0) }
        itemHead = Self.item(plan)
        itemTail = Array("\(filler)\r\n".utf8)
        var reserve = CommandText()
        reserve.begin(3 + (plan.batch > 1 ? 2 : 0) + (plan.nonces ? 2 : 0))
        reserve.bulks(["TASK.RESERVE", "1", plan.queue])
        reserveHead = reserve.bytes
        var nonce = CommandText()
        nonce.bulk("REQ")
        nonce.header(8 + JobNumber.digits)
        let digits = String(run, radix: 16)
        nonce.raw(String(repeating: "0", count: 8 - digits.count) + digits)
        nonceHead = nonce.bytes
    }

    func add(_ numbers: Range<Int>, to output: inout ByteBuffer) {
        let level = plan.priority(of: numbers.lowerBound) - 1
        guard plan.batch > 1 else {
            output.writeBytes(addHead)
            JobNumber.write(numbers.lowerBound, to: &output)
            output.writeBytes(addTail[level])
            if usesNonces { writeNonce(to: &output) }
            return
        }
        addMany(numbers, level: level, to: &output)
    }

    func reserve(_ count: Int, to output: inout ByteBuffer) {
        output.writeBytes(reserveHead)
        if plan.batch > 1 {
            output.writeStaticString("$5\r\nCOUNT\r\n")
            writeNumber(count, to: &output)
        }
        if usesNonces { writeNonce(to: &output) }
    }

    func acknowledge(_ tasks: [ReservedTask], in bytes: Span<UInt8>, next: Bool, to output: inout ByteBuffer) {
        output.writeInteger(UInt8(ascii: "*"))
        let names = plan.batch > 1 ? 2 : 1
        output.writeDecimal(names + 2 * tasks.count + (usesNonces ? 2 : 0) + (next ? 1 : 0))
        if plan.batch > 1 {
            output.writeStaticString("\r\n$9\r\nTASK.MACK\r\n")
            writeNumber(tasks.count, to: &output)
        } else {
            output.writeStaticString("\r\n$8\r\nTASK.ACK\r\n")
        }
        for task in tasks {
            output.writeBulk(bytes, task.id)
            output.writeBulk(bytes, task.token)
        }
        if usesNonces { writeNonce(to: &output) }
        if next { output.writeStaticString("$4\r\nNEXT\r\n") }
    }

    func tasks(
        _ leaves: [ReplyScanner.Leaf], in bytes: Span<UInt8>, into tasks: inout [ReservedTask]
    ) throws(BenchError) {
        if leaves.count == 1 && leaves[0].kind == ReplyScanner.null { return }
        guard leaves.count % Self.leavesPerTask == 0 else {
            throw BenchError("a RESERVE reply has \(leaves.count) values")
        }
        for first in stride(from: 0, to: leaves.count, by: Self.leavesPerTask) {
            guard leaves[first].range.count == 2, leaves[first + 14].range.count == 5,
                let priority = JobNumber.decimal(bytes, leaves[first + 9].range)
            else { throw BenchError("a RESERVE reply does not begin with id, or has no token") }
            tasks.append(
                ReservedTask(
                    id: leaves[first + 1].range, payload: leaves[first + 7].range, token: leaves[first + 15].range,
                    priority: priority))
        }
    }
}

extension MartletDialect {
    private func addMany(_ numbers: Range<Int>, level: Int, to output: inout ByteBuffer) {
        output.writeInteger(UInt8(ascii: "*"))
        let options = 4 + (plan.priorities == .mixed ? 2 : 0) + (plan.keep == nil ? 0 : 2) + (usesNonces ? 2 : 0)
        output.writeDecimal(options + 2 * numbers.count)
        output.writeBytes(manyHead[level])
        if usesNonces { writeNonce(to: &output) }
        output.writeStaticString("$5\r\nTASKS\r\n")
        writeNumber(numbers.count, to: &output)
        for number in numbers {
            output.writeBytes(itemHead)
            JobNumber.write(number, to: &output)
            output.writeBytes(itemTail)
        }
    }

    /// Appends `number` as a bulk string.
    private func writeNumber(_ number: Int, to output: inout ByteBuffer) {
        output.writeBulkHeader(String(number).utf8.count)
        output.writeDecimal(number)
        output.writeLineEnd()
    }

    private func writeNonce(to output: inout ByteBuffer) {
        output.writeBytes(nonceHead)
        JobNumber.write(nonce, to: &output)
        output.writeLineEnd()
        nonce += 1
    }

    private static func options(_ plan: BenchPlan, priority: Int) -> [String] {
        var options: [String] = []
        if plan.priorities == .mixed { options += ["PRIORITY", String(priority)] }
        if let keep = plan.keep { options += ["KEEP", String(keep)] }
        return options
    }

    /// TASK.ADD up to where the number goes. The count does not depend on the priority.
    private static func addHead(_ plan: BenchPlan) -> [UInt8] {
        var text = CommandText()
        text.begin(4 + options(plan, priority: 1).count + (plan.nonces ? 2 : 0))
        text.bulks(["TASK.ADD", plan.queue, "job"])
        text.header(plan.payload)
        return text.bytes
    }

    private static func addTail(_ plan: BenchPlan, priority: Int, filler: String) -> [UInt8] {
        var text = CommandText()
        text.raw("\(filler)\r\n")
        text.bulks(options(plan, priority: priority))
        return text.bytes
    }

    private static func addManyHead(_ plan: BenchPlan, priority: Int) -> [UInt8] {
        var text = CommandText()
        text.raw("\r\n")
        text.bulks(["TASK.MADD", plan.queue] + options(plan, priority: priority))
        return text.bytes
    }

    private static func item(_ plan: BenchPlan) -> [UInt8] {
        var text = CommandText()
        text.bulk("job")
        text.header(plan.payload)
        return text.bytes
    }
}

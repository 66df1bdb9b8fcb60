import MartletProtocol
import NIOCore

/// A priority queue with leases in Redis, as queue libraries build it: scripts over a sorted set, a hash per job and
/// a sorted set of leases. A job is forgotten when it is acknowledged.
final class RedisLuaDialect: Dialect {
    private let addHead: [UInt8]
    /// By priority, from 1.
    private let addTail: [[UInt8]]
    private let reserveCommand: [UInt8]
    private let acknowledgeHead: [UInt8]
    private let plan: BenchPlan

    /// Number the job, keep it, queue it: the highest priority first, then the oldest.
    static let addScript = """
        local id = redis.call('INCR', KEYS[1])
        redis.call('HSET', KEYS[2] .. id, 'type', ARGV[3], 'payload', ARGV[1], 'priority', ARGV[2], 'attempt', 0)
        redis.call('ZADD', KEYS[3], (10 - ARGV[2]) * 1e13 + id, id)
        return id
        """
    /// Take the first, note who has it until when, and read it.
    static let reserveScript = """
        local first = redis.call('ZPOPMIN', KEYS[1])
        if #first == 0 then return false end
        local id = first[1]
        local now = redis.call('TIME')
        local deadline = (now[1] + 30) * 1000
        redis.call('HSET', KEYS[2] .. id, 'attempt', 1, 'deadline', deadline, 'worker', ARGV[1])
        redis.call('ZADD', KEYS[3], deadline, id)
        local job = redis.call('HMGET', KEYS[2] .. id, 'payload', 'priority')
        return {id, job[1], job[2]}
        """
    /// Drop the lease and the job.
    static let acknowledgeScript = """
        if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return redis.error_reply('ERR lease lost') end
        return redis.call('DEL', KEYS[2] .. ARGV[1])
        """

    /// The scripts' SHA-1 names come from SCRIPT LOAD.
    init(_ plan: BenchPlan, scripts: [String]) {
        self.plan = plan
        let (numbers, jobs, waiting, leases) = Self.keys(plan)
        var add = CommandText()
        add.begin(9)
        add.bulks(["EVALSHA", scripts[0], "3", numbers, jobs, waiting])
        add.header(plan.payload)
        addHead = add.bytes
        let filler = payloadFiller(plan.payload - JobNumber.digits)
        addTail = (1...10).map { priority in
            var tail = CommandText()
            tail.raw("\(filler)\r\n")
            tail.bulks([String(priority), "job"])
            return tail.bytes
        }
        var reserve = CommandText()
        reserve.begin(7)
        reserve.bulks(["EVALSHA", scripts[1], "3", waiting, jobs, leases, "bench"])
        reserveCommand = reserve.bytes
        var acknowledge = CommandText()
        acknowledge.begin(6)
        acknowledge.bulks(["EVALSHA", scripts[2], "2", leases, jobs])
        acknowledgeHead = acknowledge.bytes
    }

    /// SCRIPT LOAD of add, reserve and acknowledge: each reply is the name to call it by.
    static var loading: [[UInt8]] {
        [addScript, reserveScript, acknowledgeScript].map { script in
            var text = CommandText()
            text.begin(3)
            text.bulks(["SCRIPT", "LOAD", script])
            return text.bytes
        }
    }

    private static func keys(_ plan: BenchPlan) -> (numbers: String, jobs: String, waiting: String, leases: String) {
        (plan.queue + ":id", plan.queue + ":job:", plan.queue + ":waiting", plan.queue + ":leases")
    }

    func add(_ numbers: Range<Int>, to output: inout ByteBuffer) {
        for number in numbers {
            output.writeBytes(addHead)
            JobNumber.write(number, to: &output)
            output.writeBytes(addTail[plan.priority(of: number) - 1])
        }
    }

    func reserve(_ count: Int, to output: inout ByteBuffer) {
        output.writeBytes(reserveCommand)
    }

    func acknowledge(_ tasks: [ReservedTask], in bytes: Span<UInt8>, next: Bool, to output: inout ByteBuffer) {
        for task in tasks {
            output.writeBytes(acknowledgeHead)
            output.writeBulk(bytes, task.id)
        }
    }

    func tasks(
        _ leaves: [ReplyScanner.Leaf], in bytes: Span<UInt8>, into tasks: inout [ReservedTask]
    ) throws(BenchError) {
        if leaves.count == 1 && leaves[0].kind == ReplyScanner.null { return }
        guard leaves.count == 3, let priority = JobNumber.decimal(bytes, leaves[2].range) else {
            throw BenchError("the reserve script answered \(leaves.count) values")
        }
        tasks.append(ReservedTask(id: leaves[0].range, payload: leaves[1].range, token: 0..<0, priority: priority))
    }
}

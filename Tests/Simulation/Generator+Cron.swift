internal import MartletEngine
internal import MartletProtocol

/// What is said of the cron table.
extension Generator {
    static let cronNames = ["c1", "c2", "c3"].map { Bytes($0.utf8) }

    mutating func cron(_ now: Timestamp) -> MartletEngine.Operation {
        let name = random.pick(Self.cronNames)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<35: return .cronSet(cronSet(name, now))
        case 35..<55: return .cron(.init(name: name, action: .delete, request: nonce()))
        case 55..<65: return .cron(.init(name: name, action: .pause, request: nonce()))
        case 65..<75: return .cron(.init(name: name, action: .resume, request: nonce()))
        case 75..<85: return .cron(.init(name: name, action: .run, request: nonce()))
        case 85..<95: return .cronGet(name, history: true)
        default: return .cronList
        }
    }

    private mutating func cronSet(_ name: Bytes, _ now: Timestamp) -> CronSetRequest {
        let queue = random.pick(Self.queues)
        var options = options(now, queue)
        options.due = random.pick([.now, .now, .after(500)])
        let catchup: CronCatchup = random.pick([.none, .one, .all])
        // Runs that are all made up for must not be thousands.
        let schedule: CronSetRequest.Schedule =
            catchup == .all
            ? random.pick([.every(60_000), .spec(Bytes("*/1 * * * *".utf8))])
            : random.pick([
                .every(9_000), .every(70_001), .spec(Bytes("*/1 * * * *".utf8)),
                .spec(Bytes("*/7 * * * *".utf8)),
            ])
        let overlap: CronOverlap = random.pick([.allow, .skip])
        // Far behind, the last run's task is looked after before those that hold it back: it expires BLOCKED then.
        if overlap == .skip, options.order != nil { options.timeToLive = 1_000_000_000 }
        return CronSetRequest(
            name: name, queue: queue, type: random.pick(Self.names), payload: bytes(), schedule: schedule,
            overlap: overlap, catchup: catchup, options: options, request: nonce())
    }
}

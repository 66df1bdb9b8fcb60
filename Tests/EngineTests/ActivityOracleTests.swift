import MartletEngine
import MartletProtocol
import Testing

/// Rates and percentiles of QUEUE.INFO against lists of everything that happened.
@Suite(.timeLimit(.minutes(1)))
struct ActivityOracleTests {
    /// Remembers everything, counts on asking.
    private struct Oracle {
        var added: [Timestamp] = []
        var completed: [Timestamp] = []
        var failed: [Timestamp] = []
        var waits: [(at: Timestamp, span: Milliseconds)] = []
        var runs: [(at: Timestamp, span: Milliseconds)] = []

        /// Per second since the eleventh last border of five seconds, or since the first of all.
        func rate(_ times: [Timestamp], _ now: Timestamp) -> Double {
            let first = max((now / 5_000 - 11) * 5_000, added[0])
            let seconds = Double(max(now - first, 1_000)) / 1_000
            return (Double(times.count { $0 >= first }) / seconds * 1_000).rounded() / 1_000
        }

        /// The nearest rank of this minute's and the last one's spans.
        func percentile(
            _ part: Double, of all: [(at: Timestamp, span: Milliseconds)], _ now: Timestamp
        ) -> Milliseconds? {
            let spans = all.filter { $0.at / 60_000 >= now / 60_000 - 1 }.map(\.span).sorted()
            guard !spans.isEmpty else { return nil }
            return spans[max(0, Int((part * Double(spans.count)).rounded(.up)) - 1)]
        }
    }

    /// SplitMix64.
    private struct Numbers: RandomNumberGenerator {
        var seed: UInt64

        mutating func next() -> UInt64 {
            seed &+= 0x9e37_79b9_7f4a_7c15
            var mixed = (seed ^ (seed >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }

    @Test(arguments: 1...6 as ClosedRange<UInt64>)
    func ratesAndPercentilesAreThoseOfEverythingThatHappened(seed: UInt64) throws {
        var random = Numbers(seed: seed)
        let fixture = try StoreFixture()
        var oracle = Oracle()
        var waiting: [TaskID: Timestamp] = [:]
        var running: [(task: HandOut, since: Timestamp)] = []
        for _ in 0..<400 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                waiting[try fixture.add { ($0.retries, $0.lease) = (0, 3_600_000) }] = fixture.now
                oracle.added.append(fixture.now)
            case 4..<7:
                for task in try fixture.reserve(count: Int.random(in: 1...3, using: &random)) {
                    oracle.waits.append((fixture.now, fixture.now - (waiting[task.id] ?? 0)))
                    running.append((task, fixture.now))
                }
            case 7..<9 where !running.isEmpty:
                let (task, since) = running.remove(at: Int.random(in: 0..<running.count, using: &random))
                oracle.runs.append((fixture.now, fixture.now - since))
                if Bool.random(using: &random) {
                    try fixture.run(.acknowledge(AcknowledgeRequest(id: task.id, token: task.token)))
                    oracle.completed.append(fixture.now)
                } else {
                    try fixture.run(.fail(FailRequest(id: task.id, token: task.token, message: [])))
                    oracle.failed.append(fixture.now)
                }
            default: fixture.now += Int64.random(in: 0...2_500, using: &random)
            }
            if !oracle.added.isEmpty { try compare(fixture, oracle) }
        }
    }

    private func compare(_ fixture: StoreFixture, _ oracle: Oracle) throws {
        guard case .queue(let view) = try fixture.run(.queueInfo(Bytes("q".utf8)))[0] else {
            throw StoreFixture.Unexpected()
        }
        let now = fixture.now
        #expect(view.inRate == oracle.rate(oracle.added, now))
        #expect(view.outRate == oracle.rate(oracle.completed, now))
        #expect(view.failRate == oracle.rate(oracle.failed, now))
        for (told, all) in [(view.waits, oracle.waits), (view.runs, oracle.runs)] {
            #expect(isNear(told?.half, oracle.percentile(0.5, of: all, now)))
            #expect(isNear(told?.most, oracle.percentile(0.99, of: all, now)))
        }
    }

    /// Two digits: within one per cent.
    private func isNear(_ told: Milliseconds?, _ right: Milliseconds?) -> Bool {
        guard let told, let right else { return told == nil && right == nil }
        return abs(told - right) <= max(1, right / 100)
    }
}

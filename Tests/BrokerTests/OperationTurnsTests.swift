import MartletBroker
import Testing

@Suite("Turns of operations on many tasks")
struct OperationTurnsTests {
    /// A loop in which a command comes every so many microseconds and takes so many; slices come when they may.
    /// - Returns: the slices of a second, after another one.
    private func slices(took: Int64, commandEvery every: Int64, taking: Int64) -> Int {
        var turns = OperationTurns()
        var (now, next, commands, slices) = (Int64(1_000_000), Int64(1_000_000), Int64(0), 0)
        while now < 3_000_000 {
            let start = now
            if next <= now {
                commands += 1
                next += every
                now += taking
            }
            if turns.resumeAt <= start / 1_000 {
                now += took
                turns.ended(took: took, at: start / 1_000, commands: commands)
                if start >= 2_000_000 { slices += 1 }
            }
            turns.round(from: start, to: now)
            now = max(now, min(next, max(turns.resumeAt * 1_000, now + 20)))
        }
        return slices
    }

    @Test("under load they take a sixtieth of the time", arguments: [Int64(300), 1_000, 2_000])
    func load(took: Int64) {
        let slices = slices(took: took, commandEvery: 100, taking: 90)
        #expect(slices > 0 && Int64(slices) * took <= 1_000_000 / 55)
    }

    @Test("who looks a hundred times a second does not hold them up")
    func looks() {
        #expect(slices(took: 1_000, commandEvery: 10_000, taking: 100) > 300)
    }

    @Test("alone they take all of it")
    func alone() {
        #expect(slices(took: 1_000, commandEvery: 100_000_000, taking: 100) > 900)
    }
}

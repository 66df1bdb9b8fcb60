import MartletBroker
import Testing

@Suite struct BrokerClockTests {
    static let second: Int64 = 1_000_000

    @Test func `time runs on with the even clock, through suspension too`() {
        var clock = BrokerClock(.init(wall: 1_000 * Self.second, boot: 50))
        #expect(clock.advance(to: .init(wall: 1_500 * Self.second, boot: 50 + 500 * Self.second)) == 0)
        #expect(clock.microseconds == 1_500 * Self.second)
    }

    @Test(arguments: [30, -30])
    func `a step of the wall clock is followed at most 10 % faster or slower`(step: Int64) {
        var clock = BrokerClock(.init(wall: 0, boot: 0))
        var last: Int64 = 0
        for elapsed in 1...400 {
            let boot = Int64(elapsed) * Self.second
            #expect(clock.advance(to: .init(wall: boot + step * Self.second, boot: boot)) == 0)
            let ran = clock.microseconds - last
            #expect((900_000...1_100_000).contains(ran))
            last = clock.microseconds
        }
        #expect(clock.microseconds == (400 + step) * Self.second)
    }

    @Test func `more than an hour is adopted at once`() {
        var clock = BrokerClock(.init(wall: 0, boot: 0))
        #expect(clock.advance(to: .init(wall: 7_200 * Self.second, boot: Self.second)) == 7_199 * Self.second)
        #expect(clock.microseconds == 7_200 * Self.second)
    }
}

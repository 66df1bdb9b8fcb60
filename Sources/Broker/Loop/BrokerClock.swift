import Glibc
package import MartletProtocol

/// What the broker calls now: the wall clock at start, carried on by a clock that runs evenly and through suspension.
///
/// When the wall clock is later found elsewhere, the broker's follows it slowly: it runs at most 10 % faster or slower.
/// A wall clock that is more than an hour off is adopted at once. Between adoptions time never goes back.
package struct BrokerClock {
    /// Both clocks, in microseconds.
    package struct Reading: Hashable {
        package var wall: Int64
        package var boot: Int64

        package init(wall: Int64, boot: Int64) {
            (self.wall, self.boot) = (wall, boot)
        }
    }

    /// Past it a step is adopted, in microseconds.
    static let largestSlew: Int64 = 3_600_000_000

    private var last: Reading
    private var current: Int64

    package init(_ reading: Reading) {
        last = reading
        current = reading.wall
    }

    /// Unix microseconds.
    package var microseconds: Int64 { current }
    package var now: Timestamp { current / 1_000 }
    /// The clock that runs evenly, when it was read last.
    var bootMicroseconds: Int64 { last.boot }

    /// Carries time on to `reading`; returns by how many microseconds it had to jump, 0 nearly always.
    package mutating func advance(to reading: Reading) -> Int64 {
        let elapsed = max(0, reading.boot - last.boot)
        last = reading
        let even = current + elapsed
        let off = reading.wall - even
        if abs(off) > Self.largestSlew {
            current = reading.wall
            return off
        }
        let slew = elapsed / 10
        current = even + min(max(off, -slew), slew)
        return 0
    }

    /// Reads both clocks.
    package static func read() -> Reading {
        Reading(wall: read(CLOCK_REALTIME), boot: read(CLOCK_BOOTTIME))
    }

    /// Reads the clock that runs evenly.
    static func bootMicroseconds() -> Int64 { read(CLOCK_BOOTTIME) }

    private static func read(_ clock: Int32) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000
    }
}

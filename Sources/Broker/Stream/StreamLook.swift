import MartletEngine
import MartletProtocol

/// What is asked of a stream. There is one, `@events`; every other key is as in an empty Redis.
enum StreamLook {
    case length(Bytes)
    case range(Bytes, from: MovePlace, to: MovePlace, count: Int, backwards: Bool)
    case info(Bytes)
    case read(StreamRead)
}

/// XREAD.
struct StreamRead {
    /// What comes after this place; `nil`: after the newest there is.
    var after: MovePlace?
    /// `@events` is among the keys.
    var isOfEvents = false
    var count = InspectionLimits.range
    /// How long to wait while there is nothing, in milliseconds; 0: for ever; `nil`: not at all.
    var block: Milliseconds?
    /// When waiting ends.
    var until = Timestamp.max

    static let events = Array("@events".utf8)
}

extension MovePlace {
    /// The place right behind this one.
    var next: MovePlace {
        number < .max ? MovePlace(at: at, number: number + 1) : MovePlace(at: at + (at < .max ? 1 : 0), number: 0)
    }

    /// As Redis writes an id.
    var text: String { "\(at)-\(number)" }

    /// `ms-number`, or `ms` alone with the number that is meant then.
    init?(_ text: Bytes, number fallback: UInt64) {
        let parts = String(decoding: text, as: UTF8.self).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first, let at = Timestamp(first), at >= 0 else { return nil }
        guard parts.count == 2 else {
            self.init(at: at, number: fallback)
            return
        }
        guard let number = UInt64(parts[1]) else { return nil }
        self.init(at: at, number: number)
    }
}

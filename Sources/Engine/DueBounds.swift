import MartletProtocol

/// When the first task of each range of each queue's waiting index is due at the earliest; what is not known yet is
/// "any time". Not stored: a look at the index finds it again.
struct DueBounds {
    private var bounds: [Timestamp] = []

    subscript(queue: UInt32, range: WaitingRange) -> Timestamp {
        get {
            let place = Self.place(queue, range)
            return place < bounds.count ? bounds[place] : .min
        }
        set {
            let place = Self.place(queue, range)
            if place >= bounds.count {
                bounds += repeatElement(.min, count: Self.place(queue + 1, WaitingRange(index: 0)) - bounds.count)
            }
            bounds[place] = newValue
        }
    }

    /// A task came that is due then.
    mutating func lower(_ queue: UInt32, _ range: WaitingRange, to due: Timestamp) {
        if due < self[queue, range] { self[queue, range] = due }
    }

    /// Nothing is known of a queue any more.
    mutating func forget(_ queue: UInt32) {
        for index in 0..<WaitingRange.count where self[queue, WaitingRange(index: index)] > .min {
            self[queue, WaitingRange(index: index)] = .min
        }
    }

    private static func place(_ queue: UInt32, _ range: WaitingRange) -> Int {
        (Int(queue) - 1) * WaitingRange.count + range.index
    }
}

public import MartletProtocol

/// Which tasks TASK.LIST tells, in which order, and from where on.
public struct ListRequest: Sendable {
    public enum Order: Sendable {
        case added
        /// By due time: the tasks that wait.
        case run
        /// By the time of their end: the tasks that have ended.
        case ended
    }

    public enum StateFilter: Hashable, Sendable {
        case state(TaskState)
        /// The last attempt failed: scheduled again, or dead.
        case failed
    }

    /// How much work one page may be. A page that reaches a bound comes back short, with a cursor.
    public struct Bounds: Sendable {
        /// Index entries looked at where only few tasks are in the state asked for.
        public var gathered = 2_000
        /// Tasks whose records are read.
        public var examined = 3_000
        /// Tasks told.
        public var told = 1_000
        /// Bytes of the records read.
        public var bytes = 4 * 1024 * 1024

        public init() {}
    }

    /// `nil`: of all queues.
    public var queue: Bytes?
    public var state: StateFilter?
    public var type: Bytes?
    public var tag: Bytes?
    /// Of the last error.
    public var kind: Bytes?
    public var worker: Bytes?
    public var group: Bytes?
    public var order = Order.added
    /// The last one first.
    public var isReversed = false
    /// `nil`: from the start.
    public var cursor: ListCursor?
    public var count = 100
    public var bounds = Bounds()

    public init(queue: Bytes? = nil) { self.queue = queue }
}

/// Where a page of a list ended: the place of a task in the order, not a count, so that what comes and goes between two
/// pages shifts nothing.
public struct ListCursor: Hashable, Sendable {
    /// Which queues, in blocks of so many.
    var block: Int
    var place: ListPlace

    init(block: Int, place: ListPlace) {
        self.block = block
        self.place = place
    }

    /// Parses the text of a cursor; `nil`: it is none.
    public init?(_ text: Bytes) {
        let parts = String(decoding: text, as: UTF8.self).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let block = UInt32(parts[0], radix: 36), let time = UInt64(parts[1], radix: 36),
            let sequence = UInt64(parts[2], radix: 36)
        else { return nil }
        self.init(
            block: Int(block), place: ListPlace(time: Int64(bitPattern: time), sequence: sequence))
    }

    public var text: Bytes {
        let time = String(UInt64(bitPattern: place.time), radix: 36)
        return Bytes("\(String(block, radix: 36))-\(time)-\(String(place.sequence, radix: 36))".utf8)
    }
}

/// The place of a task in a list: by time, then as they were added. Lists in the order of adding have no times.
struct ListPlace: Hashable, Comparable {
    var time: Int64
    var sequence: UInt64

    static let start = ListPlace(time: .min, sequence: 0)
    static let end = ListPlace(time: .max, sequence: .max)

    static func < (left: ListPlace, right: ListPlace) -> Bool {
        left.time != right.time ? left.time < right.time : left.sequence < right.sequence
    }

    /// The place behind this one; the end has none.
    var next: ListPlace? {
        if sequence < .max { return ListPlace(time: time, sequence: sequence + 1) }
        return time < .max ? ListPlace(time: time + 1, sequence: 0) : nil
    }
}

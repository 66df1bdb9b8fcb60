import MartletProtocol
import MartletStorage

/// Which limits a task needs, and what it takes of each: `limits u16 │ n u8 │ n × cost i64`
struct TaskLimits: Equatable {
    /// What stands for their names.
    var set: UInt16
    /// In the order of the names.
    var costs: [Int64]

    init(set: UInt16, costs: [Int64]) { (self.set, self.costs) = (set, costs) }

    func write(to record: inout RecordWriter) {
        record.uint16(set)
        record.uint8(UInt8(costs.count))
        for cost in costs { record.int64(cost) }
    }

    init(from record: inout RecordReader) {
        set = record.uint16()
        costs = []
        for _ in 0..<record.uint8() where record.left > 0 { costs.append(record.int64()) }
    }
}

/// The names of limits that tasks need together, and the numbers that stand for them in keys and records, from 1. In
/// memory; loaded at start. They are never forgotten.
struct LimitSets {
    private var numbers: [[Bytes]: UInt16] = [:]
    private var sets: [[Bytes]] = []

    var count: Int { sets.count }

    func number(_ names: [Bytes]) -> UInt16? { numbers[names] }

    /// The names, in their order; none for a number that stands for nothing.
    subscript(number: UInt16) -> [Bytes] { number > 0 && number <= sets.count ? sets[Int(number) - 1] : [] }

    /// Gives names, which are in their order, the next number.
    mutating func add(_ names: [Bytes]) -> UInt16 {
        sets.append(names)
        numbers[names] = UInt16(sets.count)
        return UInt16(sets.count)
    }

    /// Takes back what was added last.
    mutating func removeLast() {
        guard let names = sets.popLast() else { return }
        numbers[names] = nil
    }

    /// `number u16`
    static func key(_ number: UInt16) -> KeyBytes {
        var key = KeyBytes()
        key.append(number)
        return key
    }
}

/// In which ranges of a queue tasks wait that need limits: where hand-outs have to look. In memory; found at start. It
/// may name what is empty, but never misses one.
struct LimitLines {
    /// By queue and limits: a bit for each range.
    private var ranges: [UInt32: [UInt16: UInt32]] = [:]

    var isEmpty: Bool { ranges.isEmpty }

    func has(_ queue: UInt32) -> Bool { !ranges.isEmpty && ranges[queue] != nil }

    /// The limits that tasks of a queue need.
    func sets(of queue: UInt32) -> [UInt16] { ranges.isEmpty ? [] : (ranges[queue] ?? [:]).keys.sorted() }

    /// The same of a range.
    func sets(of queue: UInt32, _ range: WaitingRange) -> [UInt16] {
        guard !ranges.isEmpty, let sets = ranges[queue] else { return [] }
        return sets.filter { $0.value & Self.bit(range) != 0 }.keys.sorted()
    }

    /// The ranges in which tasks wait that need these limits, in the order of hand-out.
    func ranges(of queue: UInt32, _ limits: UInt16) -> [WaitingRange] {
        guard let bits = ranges[queue]?[limits] else { return [] }
        return (0..<WaitingRange.count).map(WaitingRange.init(index:)).filter { bits & Self.bit($0) != 0 }
    }

    mutating func insert(_ limits: UInt16, _ queue: UInt32, _ range: WaitingRange) {
        ranges[queue, default: [:]][limits, default: 0] |= Self.bit(range)
    }

    mutating func remove(_ limits: UInt16, _ queue: UInt32, _ range: WaitingRange) {
        guard let left = ranges[queue]?[limits].map({ $0 & ~Self.bit(range) }) else { return }
        ranges[queue]?[limits] = left == 0 ? nil : left
        if ranges[queue]?.isEmpty == true { ranges[queue] = nil }
    }

    private static func bit(_ range: WaitingRange) -> UInt32 { 1 << UInt32(range.index) }
}

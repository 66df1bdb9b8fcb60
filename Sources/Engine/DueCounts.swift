import MartletStorage

/// How many due tasks of a queue a condition of their own may hold up, by the limits they need: what stands in line
/// behind a bucket without tokens, or behind the taken slots of its group, is told without a look at it.
struct DueCounts: Equatable {
    struct Line: Equatable {
        /// 0: none.
        let limits: UInt16
        /// Due tasks that need them; not counted for those that need none.
        var due: Int64 = 0
        /// Due tasks of groups whose slots are taken, as far as they stand in the lines of their groups.
        var full: Int64 = 0
    }

    /// By their limits; none without a task.
    private(set) var lines: [Line] = []

    mutating func count(_ limits: UInt16, due: Int64 = 0, full: Int64 = 0) {
        guard due != 0 || full != 0 else { return }
        let index = lines.firstIndex { $0.limits >= limits } ?? lines.count
        if index == lines.count || lines[index].limits != limits { lines.insert(Line(limits: limits), at: index) }
        lines[index].due += due
        lines[index].full += full
        if lines[index].due == 0, lines[index].full == 0 { lines.remove(at: index) }
    }

    /// `n u32, n × (limits u16 │ due i64 │ full i64)`
    func write(to record: inout RecordWriter) {
        record.uint32(UInt32(lines.count))
        for line in lines {
            record.uint16(line.limits)
            record.int64(line.due)
            record.int64(line.full)
        }
    }

    init() {}

    init(from record: inout RecordReader) {
        for _ in 0..<record.uint32() where record.left > 0 {
            lines.append(Line(limits: record.uint16(), due: record.int64(), full: record.int64()))
        }
    }
}

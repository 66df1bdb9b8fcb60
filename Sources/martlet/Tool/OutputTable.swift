import FoundationEssentials
import Glibc
import MartletProtocol

/// Rows in columns that line up; numbers to the right.
struct OutputTable {
    private let heads: [String]
    private var rows: [[String]] = []

    init(_ heads: [String]) { self.heads = heads }

    var isEmpty: Bool { rows.isEmpty }

    mutating func add(_ cells: [String]) { rows.append(cells) }

    /// Lines of at most `width` characters; wider ones are cut.
    func lines(width: Int = Terminal.width) -> [String] {
        let all = [heads] + rows
        let columns = heads.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        let numeric = heads.indices.map { column in
            rows.contains { Double($0[column]) != nil }
                && rows.allSatisfy { $0[column] == "-" || Double($0[column]) != nil }
        }
        return all.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                if column > 0 { line += "  " }
                let spaces = String(repeating: " ", count: columns[column] - cell.count)
                line += numeric[column] ? spaces + cell : column == row.count - 1 ? cell : cell + spaces
            }
            while line.last == " " { line.removeLast() }
            return line.count > width ? line.prefix(width - 1) + "…" : line
        }
    }

    var text: String { lines().joined(separator: "\n") }

    /// Names and values under each other.
    static func fields(_ pairs: [(name: String, value: String)]) -> String {
        let width = pairs.map(\.name.count).max() ?? 0
        return pairs.map { pair in
            pair.name + String(repeating: " ", count: width - pair.name.count + 2) + pair.value
        }.joined(separator: "\n")
    }
}

extension OutputTable {
    /// A reply's fields under each other, `instants` as points in time.
    static func fields(_ reply: RESPValue, instants: Set<String> = []) -> String {
        fields(reply.pairs, instants: instants)
    }

    /// Some of them.
    static func fields(_ pairs: [(name: String, value: RESPValue)], instants: Set<String>) -> String {
        fields(
            pairs.map { name, value in
                let at = instants.contains(name) ? value.integer : nil
                return (name, at.map { "\(TimeText.instant($0)) (\(TimeText.relative(value)))" } ?? value.cell)
            })
    }
}

/// Points in time as people read them.
enum TimeText {
    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

    /// `2026-01-31T12:00:00.000Z`
    static func instant(_ milliseconds: Int64) -> String {
        Date(timeIntervalSince1970: Double(milliseconds) / 1_000)
            .ISO8601Format(.init(includingFractionalSeconds: true))
    }

    /// `3m ago`, `in 2h`; `-` for none.
    static func relative(_ value: RESPValue?, now: Int64 = now) -> String {
        guard let at = value?.integer else { return "-" }
        return at > now ? "in \(span(at - now))" : "\(span(now - at)) ago"
    }

    /// `250ms`, `12s`, `5m`, `3h`, `9d`: the largest unit that fits.
    static func span(_ milliseconds: Int64) -> String {
        let units: [(Int64, String)] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")]
        for (unit, name) in units where milliseconds >= unit { return "\(milliseconds / unit)\(name)" }
        return "\(milliseconds)ms"
    }

    /// `10s`, `1m30s` as `90s`: the largest unit that it is a multiple of.
    static func exactSpan(_ milliseconds: Int64) -> String {
        let units: [(Int64, String)] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")]
        for (unit, name) in units where milliseconds >= unit && milliseconds % unit == 0 {
            return "\(milliseconds / unit)\(name)"
        }
        return "\(milliseconds)ms"
    }
}

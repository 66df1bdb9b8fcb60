import Crypto
import Logging
import MartletClient

/// The task: a table of numbers as CSV with a line of names, summed up column by column.
enum ProcessData: TaskDefinition {
    struct Payload: Codable, Sendable {
        var csv: String
    }

    struct Output: Codable, Sendable {
        var rows: Int
        var columns: [String: Statistics]
    }

    struct Statistics: Codable, Sendable, Equatable {
        var count: Int
        var minimum: Double
        var maximum: Double
        var mean: Double
        var median: Double
        /// Of the sample; 0 for a single value.
        var deviation: Double
    }

    static let type = "process_data"
    static let queue = Jobs.queue
}

extension ProcessData.Payload {
    /// Where the figures of this very table are kept.
    var key: String {
        let digest = SHA256.hash(data: Array(csv.utf8))
        return "jobs:figures:" + digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// Fields that are no numbers are left out of their column's figures.
    func statistics(_ context: TaskContext) async throws -> ProcessData.Output {
        var lines = csv.split(whereSeparator: \.isNewline)
        guard !lines.isEmpty else { throw TaskFailure.dead("an empty table", kind: "invalid_table") }
        let names = lines.removeFirst().split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
        var columns = [[Double]](repeating: [], count: names.count)
        for (row, line) in lines.enumerated() {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count == names.count else {
                throw TaskFailure.dead(
                    "line \(row + 2) has \(fields.count) fields, not \(names.count)", kind: "invalid_table")
            }
            for (column, field) in fields.enumerated() {
                if let value = Double(Self.trimmed(field)), value.isFinite { columns[column].append(value) }
            }
            if row % 10_000 == 9_999 {
                try await context.progress((row + 1) * 90 / lines.count, note: "\(row + 1) rows")
            }
        }
        var statistics: [String: ProcessData.Statistics] = [:]
        for (name, values) in zip(names, columns) { statistics[name] = ProcessData.Statistics(values) }
        context.logger.info("summed up", metadata: ["rows": "\(lines.count)", "columns": "\(names.count)"])
        return ProcessData.Output(rows: lines.count, columns: statistics)
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}

extension ProcessData.Statistics {
    /// `nil` without a value. One pass for mean and deviation (Welford), one sort for the median.
    init?(_ values: [Double]) {
        guard let first = values.first else { return nil }
        var (mean, squares, lowest, highest) = (0.0, 0.0, first, first)
        for (index, value) in values.enumerated() {
            let before = value - mean
            mean += before / Double(index + 1)
            squares += before * (value - mean)
            (lowest, highest) = (min(lowest, value), max(highest, value))
        }
        let sorted = values.sorted()
        let middle = values.count / 2
        count = values.count
        (minimum, maximum, self.mean) = (lowest, highest, mean)
        median = values.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
        deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
    }
}

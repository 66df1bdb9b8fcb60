import ArgumentParser
import FoundationEssentials
import MartletProtocol

/// A span of time on a command line: `250ms`, `30s`, `5m`, `2h`, `7d`; a bare number is milliseconds.
struct SpanArgument: ExpressibleByArgument {
    var milliseconds: Int64

    var defaultValueDescription: String { TimeText.exactSpan(milliseconds) }

    init?(argument: String) {
        let digits = argument.prefix { $0.isNumber }
        let units: [Substring: Int64] = [
            "": 1, "ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
        ]
        guard let number = Int64(digits), let unit = units[argument[digits.endIndex...]] else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow, product <= Limits.latestTime else { return nil }
        milliseconds = product
    }
}

/// A point in time on a command line: `2026-01-31T12:00:00Z`, as the tool prints it, or Unix milliseconds.
struct InstantArgument: ExpressibleByArgument {
    var milliseconds: Int64

    init?(argument: String) {
        if let number = Int64(argument), 0...Limits.latestTime ~= number {
            milliseconds = number
            return
        }
        let formats = [false, true].map { Date.ISO8601FormatStyle(includingFractionalSeconds: $0) }
        let dates = formats.compactMap { try? $0.parse(argument) }
        guard let seconds = dates.first?.timeIntervalSince1970, 0...Double(Limits.latestTime / 1_000) ~= seconds else {
            return nil
        }
        milliseconds = Int64((seconds * 1_000).rounded())
    }
}

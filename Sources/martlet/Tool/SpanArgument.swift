import ArgumentParser
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

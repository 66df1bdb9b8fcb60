import FoundationEssentials

extension TaskFailure {
    /// What a handler throws when a service it called answered with an error status.
    ///
    /// 402, 408, 429 and 500…599 may pass: kinds `InsufficientCredits`, `NetworkTimeout`, `RateLimitError` and
    /// `ServiceUnavailable`, tried again as the worker's `RetryTable` or the task's back-off says, or after exactly as
    /// long as the Retry-After header asks. Every other status is for good: `PermanentError`, a dead letter.
    ///
    /// - Parameters:
    ///   - status: what the service answered.
    ///   - retryAfter: the header's value, seconds or an HTTP date; what is neither is ignored.
    ///   - message: instead of a sentence with the status.
    public static func http(
        status: Int, retryAfter: String? = nil, message: String? = nil
    ) -> TaskFailure {
        let text = message ?? "the service answered \(status)"
        guard let kind = passingKind(status) else { return .dead(text, kind: "PermanentError") }
        guard let delay = retryAfter.flatMap({ RetryAfter.delay($0, now: Date.now) }) else {
            return TaskFailure(text, kind: kind)
        }
        return TaskFailure(text, kind: kind, retryAfter: delay)
    }

    private static func passingKind(_ status: Int) -> String? {
        switch status {
        case 402: "InsufficientCredits"
        case 408: "NetworkTimeout"
        case 429: "RateLimitError"
        case 500...599: "ServiceUnavailable"
        default: nil
        }
    }
}

/// Reads the Retry-After header (RFC 9110, 10.2.3).
enum RetryAfter {
    /// Longest delay taken over: a day. A service may say anything.
    static let longest: Duration = .seconds(86_400)

    static func delay(_ value: String, now: Date) -> Duration? {
        let value = value.drop { $0 == " " }
        if let seconds = Int64(value), seconds >= 0 { return min(.seconds(seconds), longest) }
        guard let date = date(value) else { return nil }
        let seconds = min(max(date.timeIntervalSince(now), 0), 86_400)
        return .milliseconds(Int64(seconds * 1_000))
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    private static func date(_ text: Substring) -> Date? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int(words[1]), let year = Int(words[3]),
            let month = months.firstIndex(of: String(words[2]))
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int($0) }
        guard clock.count == 3 else { return nil }
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = .gmt
        return calendar.date(
            from: DateComponents(
                year: year, month: month + 1, day: day, hour: clock[0], minute: clock[1], second: clock[2]))
    }

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
}

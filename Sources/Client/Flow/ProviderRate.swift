import FoundationEssentials
public import MartletProtocol

/// A rate as a provider of a service tells it: `{"requests": 230, "interval": "10s"}`.
///
///     try await client.setLimit("openrouter", try ProviderRate(json: answer).rule)
public struct ProviderRate: Hashable, Sendable {
    /// So many requests …
    public var requests: Int
    /// … in any such time.
    public var interval: Duration

    /// A rate that is known already.
    public init(requests: Int, interval: Duration) { (self.requests, self.interval) = (requests, interval) }

    /// The rule of a limit that keeps to it.
    public var rule: LimitRule { .rate(requests, per: interval) }

    /// Reads a provider's answer: the rate by itself, or anywhere in it under `rate_limit`.
    /// - Throws: `decoding` when there is none, or it is none that a limit can keep to.
    public init(json: Bytes) throws(MartletError) {
        let answer = try JSON.decode(Answer.self, from: json)
        guard let rate = answer.rate else { throw .decoding("no rate with 'requests' and 'interval'") }
        guard rate.requests > 0, let interval = Self.span(rate.interval) else {
            throw .decoding("no rate to keep to: \(rate.requests) requests in '\(rate.interval)'")
        }
        self.init(requests: rate.requests, interval: interval)
    }

    /// `10s`, `500ms`, `1m`, `1h`, `1d`; a bare number is seconds. `nil`: none of these, or not above 0.
    static func span(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let units: [Substring: Int64] = [
            "ms": 1, "": 1_000, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
        ]
        guard let number = Int64(digits), number > 0, let unit = units[text[digits.endIndex...]] else { return nil }
        let (milliseconds, overflow) = number.multipliedReportingOverflow(by: unit)
        return overflow ? nil : .milliseconds(milliseconds)
    }
}

/// A rate, or the objects around one.
private indirect enum Answer: Decodable {
    struct Rate: Decodable {
        var requests: Int
        var interval: String
    }

    struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    case rate(Rate)
    case around([Answer])
    case other

    init(from decoder: any Decoder) throws {
        if let rate = try? Rate(from: decoder) {
            self = .rate(rate)
        } else if let object = try? decoder.container(keyedBy: Key.self) {
            // `rate_limit` before the others, those by name.
            let keys = object.allKeys.sorted { ($0.rank, $0.stringValue) < ($1.rank, $1.stringValue) }
            self = .around(try keys.map { try object.decode(Answer.self, forKey: $0) })
        } else {
            self = .other
        }
    }

    var rate: Rate? {
        switch self {
        case .rate(let rate): rate
        case .around(let answers): answers.lazy.compactMap(\.rate).first
        case .other: nil
        }
    }
}

extension Answer.Key {
    fileprivate var rank: Int { stringValue == "rate_limit" ? 0 : 1 }
}

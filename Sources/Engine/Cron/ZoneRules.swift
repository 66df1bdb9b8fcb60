/// How far a zone's local time is ahead of UTC, and when that changes: what a TZif file of the tz database says
/// (RFC 8536).
public struct ZoneRules: Sendable {
    /// From `start` on (Unix seconds) local time is `offset` seconds ahead of UTC.
    struct Span: Equatable, Sendable {
        var start: Int
        var offset: Int
    }

    /// In order; the first begins before everything.
    private(set) var spans: [Span]
    /// The rule after the last span.
    private let footer: PosixZone?

    public static let utc = ZoneRules(spans: [Span(start: .min, offset: 0)], footer: nil)

    init(spans: [Span], footer: PosixZone?) {
        (self.spans, self.footer) = (spans, footer)
    }

    /// Reads a TZif file of version 2 or later; `nil` if it is none.
    public init?(tzif bytes: [UInt8]) {
        var file = TZifReader(bytes: bytes)
        guard let first = file.header(), first.version >= 2, file.skip(first.size(timeSize: 4)),
            let header = file.header(), header.types > 0, header.times <= 4_096
        else { return nil }
        let starts = (0..<header.times).map { _ in file.integer(8) }
        let indexes = (0..<header.times).map { _ in file.integer(1) & 0xFF }
        var offsets: [Int] = []
        for _ in 0..<header.types {
            offsets.append(file.integer(4))
            guard file.skip(2) else { return nil }
        }
        guard file.skip(header.tail), !file.isPastEnd, indexes.allSatisfy({ $0 < offsets.count }) else { return nil }
        spans = [Span(start: .min, offset: offsets[0])]
        for (start, index) in zip(starts, indexes) where spans.last?.offset != offsets[index] {
            spans.append(Span(start: start, offset: offsets[index]))
        }
        footer = PosixZone(file.line())
    }

    /// The span `time` lies in and the one after it, if local time ever changes again. Unix seconds.
    func spans(at time: Int) -> (current: Span, next: Span?) {
        var low = 0
        var high = spans.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if spans[middle].start <= time { low = middle } else { high = middle }
        }
        if low + 1 < spans.count { return (spans[low], spans[low + 1]) }
        guard let footer, let changes = footer.changes(around: time) else { return (spans[low], nil) }
        let later = changes.filter { $0.start > spans[low].start }
        let current = later.last { $0.start <= time } ?? spans[low]
        return (current, later.first { $0.start > time })
    }
}

/// Walks through a TZif file. Past its end everything is zero.
private struct TZifReader {
    let bytes: [UInt8]
    var offset = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    struct Header {
        var version: Int
        var utc: Int
        var standard: Int
        var leaps: Int
        var times: Int
        var types: Int
        var letters: Int

        /// What follows the types.
        var tail: Int { letters + leaps * 12 + standard + utc }

        func size(timeSize: Int) -> Int {
            times * (timeSize + 1) + types * 6 + letters + leaps * (timeSize + 4) + standard + utc
        }
    }

    var isPastEnd: Bool { offset > bytes.count }

    mutating func integer(_ size: Int) -> Int {
        var value: UInt64 = 0
        for index in 0..<size { value = value << 8 | UInt64(offset + index < bytes.count ? bytes[offset + index] : 0) }
        offset += size
        return size == 4 ? Int(Int32(truncatingIfNeeded: value)) : Int(truncatingIfNeeded: value)
    }

    mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, count <= bytes.count - offset else { return false }
        offset += count
        return true
    }

    mutating func header() -> Header? {
        guard offset + 44 <= bytes.count, bytes[offset..<offset + 4].elementsEqual("TZif".utf8) else { return nil }
        let version = Int(bytes[offset + 4]) - 48
        offset += 20
        let counts = (0..<6).map { _ in integer(4) }
        guard counts.allSatisfy({ (0...100_000).contains($0) }) else { return nil }
        return Header(
            version: version, utc: counts[0], standard: counts[1], leaps: counts[2], times: counts[3],
            types: counts[4], letters: counts[5])
    }

    /// The line between two newlines.
    mutating func line() -> String {
        guard offset < bytes.count, bytes[offset] == 10 else { return "" }
        return String(decoding: bytes[(offset + 1)...].prefix { $0 != 10 }, as: UTF8.self)
    }
}

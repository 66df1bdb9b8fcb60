package import MartletProtocol

extension CronSpec {
    /// How far ahead a match is looked for: a 29th of February comes within eight years, in the worst of cases.
    private static let horizon = 9 * 366 * 86_400

    /// The first run after `time`, both in Unix milliseconds; `nil` if there is none within nine years.
    ///
    /// With hours named, a local time that daylight saving skips runs at the moment of the change, and one that comes
    /// twice runs the first time. Otherwise ("every ten minutes") every real occurrence counts.
    package func next(after time: Timestamp, in zone: ZoneRules) -> Timestamp? {
        let seconds = Int(time >= 0 ? time / 1_000 : (time - 999) / 1_000)
        // The first whole minute after `time`.
        var from = Self.roundedUp(seconds + 1)
        let limit = seconds + Self.horizon
        while from <= limit {
            let (span, following) = zone.spans(at: from)
            let end = min(following?.start ?? .max, limit)
            if let found = next(from: from, until: end, span, before: previous(span, zone)) {
                return Int64(found) * 1_000
            }
            guard let following, following.start <= limit else { return nil }
            if namesHours, skips(into: following, from: span) { return Int64(following.start) * 1_000 }
            from = Self.roundedUp(following.start)
        }
        return nil
    }

    /// The first whole minute that is not before `seconds`.
    private static func roundedUp(_ seconds: Int) -> Int {
        let part = seconds % 60
        return part > 0 ? seconds + 60 - part : seconds - part
    }

    private func previous(_ span: ZoneRules.Span, _ zone: ZoneRules) -> ZoneRules.Span? {
        span.start == .min ? nil : zone.spans(at: span.start - 1).current
    }

    /// The first match of `span` from `from` on, before `until`; what its predecessor had already does not count.
    private func next(
        from: Int, until: Int, _ span: ZoneRules.Span, before: ZoneRules.Span?
    ) -> Int? {
        var local = Self.roundedUp(from + span.offset) / 60
        if namesHours, let before, before.offset > span.offset {
            local = max(local, Self.roundedUp(span.start + before.offset) / 60)
        }
        guard let found = next(from: local, limit: (until + span.offset) / 60) else { return nil }
        let time = found * 60 - span.offset
        return time < until ? time : nil
    }

    /// Whether a match lies in the hour that the change into `following` skips.
    private func skips(into following: ZoneRules.Span, from span: ZoneRules.Span) -> Bool {
        guard following.offset > span.offset else { return false }
        let first = Self.roundedUp(following.start + span.offset) / 60
        let last = Self.roundedUp(following.start + following.offset) / 60 - 1
        return next(from: first, limit: last) != nil
    }
}

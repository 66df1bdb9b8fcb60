/// A zone in the notation of POSIX' TZ variable, `CET-1CEST,M3.5.0,M10.5.0/3`: the rule that goes on for ever.
struct PosixZone: Sendable {
    /// When a change happens within a year.
    enum Day: Equatable, Sendable {
        /// Mm.w.d: the w-th weekday d of month m; the fifth is the last.
        case weekday(month: Int, week: Int, day: Int)
        /// Jn: day 1…365, February 29 is never counted.
        case julian(Int)
        /// n: day 0…365.
        case zeroBased(Int)
    }

    struct Change: Equatable, Sendable {
        var day: Day
        /// Seconds of local time after midnight; may be negative or beyond a day.
        var time: Int
        /// Seconds ahead of UTC from then on.
        var offset: Int
    }

    private(set) var standard: Int
    /// Into daylight time and out of it; empty: never.
    private(set) var changes: [Change] = []

    /// `nil` if it is not understood.
    init?(_ text: String) {
        var scanner = ZoneScanner(text)
        guard scanner.name(), let west = scanner.time() else { return nil }
        standard = -west
        guard !scanner.isAtEnd else { return }
        guard scanner.name() else { return nil }
        var daylight = standard + 3_600
        if !scanner.isNext(","), let west = scanner.time() { daylight = -west }
        guard let begin = scanner.change(offset: daylight), let end = scanner.change(offset: standard),
            scanner.isAtEnd
        else { return nil }
        changes = [begin, end]
    }

    /// The changes of the years around `time` (Unix seconds), in order; `nil` if there are none.
    func changes(around time: Int) -> [ZoneRules.Span]? {
        guard changes.count == 2, abs(time) < 1 << 50 else { return nil }
        let days = time >= 0 ? time / 86_400 : (time - 86_399) / 86_400
        let year = CivilTime.date(ofDay: days).year
        return (year - 1...year + 1).flatMap { year in
            changes.enumerated().map { index, change in
                let before = changes[1 - index].offset
                let start = Self.day(change.day, of: year) * 86_400 + change.time - before
                return ZoneRules.Span(start: start, offset: change.offset)
            }
        }.sorted { $0.start < $1.start }
    }

    private static func day(_ day: Day, of year: Int) -> Int {
        let january = CivilTime.days(year, 1, 1)
        switch day {
        case .zeroBased(let number): return january + number
        case .julian(let number):
            return january + number - 1 + (number >= 60 && CivilTime.daysInMonth(year, 2) == 29 ? 1 : 0)
        case .weekday(let month, let week, let weekday):
            let first = CivilTime.days(year, month, 1)
            var day = 1 + (weekday - CivilTime.weekday(ofDay: first) + 7) % 7 + (week - 1) * 7
            if day > CivilTime.daysInMonth(year, month) { day -= 7 }
            return first + day - 1
        }
    }
}

/// Takes the notation apart.
private struct ZoneScanner {
    private var rest: ArraySlice<UInt8>

    init(_ text: String) { rest = ArraySlice(text.utf8) }

    var isAtEnd: Bool { rest.isEmpty }

    func isNext(_ character: Unicode.Scalar) -> Bool { rest.first == UInt8(ascii: character) }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard isNext(character) else { return false }
        rest.removeFirst()
        return true
    }

    /// Letters, or anything between < and >.
    mutating func name() -> Bool {
        if take("<") {
            guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
            rest = rest[(end + 1)...]
            return true
        }
        let letters = rest.prefix { $0 | 32 >= 97 && $0 | 32 <= 122 }
        rest = rest[letters.endIndex...]
        return letters.count >= 3
    }

    private mutating func number() -> Int? {
        let digits = rest.prefix { $0 >= 48 && $0 <= 57 }
        rest = rest[digits.endIndex...]
        return digits.count <= 3 ? Int(String(decoding: digits, as: UTF8.self)) : nil
    }

    /// [+-]hh[:mm[:ss]] in seconds.
    mutating func time() -> Int? {
        let sign = take("-") ? -1 : 1
        if sign == 1 { _ = take("+") }
        guard var seconds = number().map({ $0 * 3_600 }) else { return nil }
        for unit in [60, 1] where take(":") {
            guard let value = number() else { return nil }
            seconds += value * unit
        }
        return sign * seconds
    }

    /// `,date[/time]`
    mutating func change(offset: Int) -> PosixZone.Change? {
        guard take(","), let day = day() else { return nil }
        guard take("/") else { return .init(day: day, time: 7_200, offset: offset) }
        return time().map { .init(day: day, time: $0, offset: offset) }
    }

    private mutating func day() -> PosixZone.Day? {
        if take("M") {
            guard let month = number(), take("."), let week = number(), take("."), let day = number(),
                (1...12).contains(month), (1...5).contains(week), (0...6).contains(day)
            else { return nil }
            return .weekday(month: month, week: week, day: day)
        }
        if take("J") { return number().flatMap { (1...365).contains($0) ? .julian($0) : nil } }
        return number().flatMap { (0...365).contains($0) ? .zeroBased($0) : nil }
    }
}

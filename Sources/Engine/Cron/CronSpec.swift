package import MartletProtocol

/// A crontab line: minute, hour, day of month, month, day of week, as in crontab(5) of Vixie cron.
///
/// A field is `*`, a number, a range `a-b`, each with a step `/n`, or a list of these; months and days of the week may
/// be named (JAN, MON), and Sunday is 0 or 7. When both days are restricted, a day that matches either one counts.
package struct CronSpec: Equatable {
    var minutes: CronField
    var hours: CronField
    var days: CronField
    var months: CronField
    var weekdays: CronField

    /// - Throws: what is wrong with which field.
    package init(_ text: Bytes) throws(CommandError) {
        let fields = text.split { $0 == 32 || $0 == 9 }.map { String(decoding: $0, as: UTF8.self) }
        guard text.count <= 256, fields.count == 5 else {
            throw CommandError(.error, "SPEC needs five fields: minute hour day-of-month month day-of-week")
        }
        minutes = try CronField(fields[0], "minute", 0...59)
        hours = try CronField(fields[1], "hour", 0...23)
        days = try CronField(fields[2], "day of month", 1...31)
        months = try CronField(fields[3], "month", 1...12, names: Self.monthNames)
        weekdays = try CronField(fields[4], "day of week", 0...7, names: Self.weekdayNames)
        if weekdays.contains(7) { weekdays.insert(0) }
    }

    private static let monthNames = [
        "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11,
        "DEC": 12,
    ]
    private static let weekdayNames = ["SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6]

    /// Whether it means particular times of day, which daylight saving must neither skip nor repeat, rather than
    /// "every so often".
    var namesHours: Bool { !hours.isAny }

    private func matches(day: Int, _ date: (year: Int, month: Int, day: Int)) -> Bool {
        guard months.contains(date.month) else { return false }
        let (byDate, byWeekday) = (days.contains(date.day), weekdays.contains(CivilTime.weekday(ofDay: day)))
        if days.isAny || weekdays.isAny { return byDate && byWeekday }
        return byDate || byWeekday
    }

    /// The first matching local minute that is not before `start`, at most `limit`; both in minutes since 1970.
    func next(from start: Int, limit: Int) -> Int? {
        let begin = CivilTime(minutes: start)
        var day = CivilTime.days(begin.year, begin.month, begin.day)
        var (hour, minute) = (begin.hour, begin.minute)
        while day * 1_440 <= limit {
            let date = CivilTime.date(ofDay: day)
            if !months.contains(date.month) {
                day += CivilTime.daysInMonth(date.year, date.month) - date.day + 1
            } else {
                if matches(day: day, date), let time = timeOfDay(notBefore: hour, minute) {
                    let found = day * 1_440 + time
                    return found <= limit ? found : nil
                }
                day += 1
            }
            (hour, minute) = (0, 0)
        }
        return nil
    }

    private func timeOfDay(notBefore hour: Int, _ minute: Int) -> Int? {
        if hours.contains(hour), let minute = minutes.first(from: minute) { return hour * 60 + minute }
        guard let hour = hours.first(from: hour + 1), let minute = minutes.first(from: 0) else { return nil }
        return hour * 60 + minute
    }
}

/// The values one field of a crontab line allows.
struct CronField: Equatable {
    private var bits: UInt64 = 0
    /// It began with `*`: no restriction, for the rule about the two kinds of days.
    private(set) var isAny = false

    func contains(_ value: Int) -> Bool { value < 64 && bits & (1 << UInt64(value)) != 0 }

    mutating func insert(_ value: Int) { bits |= 1 << UInt64(value) }

    /// The first allowed value that is not below `value`.
    func first(from value: Int) -> Int? {
        guard value < 64 else { return nil }
        let rest = bits >> UInt64(value)
        return rest == 0 ? nil : value + rest.trailingZeroBitCount
    }

    init(
        _ text: String, _ name: String, _ range: ClosedRange<Int>, names: [String: Int] = [:]
    ) throws(CommandError) {
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            try add(String(part), name, range, names)
        }
    }

    private mutating func add(
        _ part: String, _ name: String, _ range: ClosedRange<Int>, _ names: [String: Int]
    ) throws(CommandError) {
        let wrong = CommandError(.error, "SPEC: '\(part)' is no \(name); it is \(range.lowerBound)-\(range.upperBound)")
        func number(_ text: Substring) throws(CommandError) -> Int {
            if let named = names[text.uppercased()] { return named }
            guard text.count <= 2, let value = Int(text), text.first != "+", range.contains(value) else { throw wrong }
            return value
        }
        let halves = part.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var step = 1
        if halves.count == 2 {
            guard halves[1].count <= 2, let value = Int(halves[1]), value >= 1 else { throw wrong }
            step = value
        }
        var (low, high) = (range.lowerBound, range.upperBound)
        if halves[0] == "*" {
            isAny = true
            // A week has seven days although Sunday has two numbers.
            if range.upperBound == 7 { high = 6 }
        } else {
            let ends = halves[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            low = try number(ends[0])
            high = ends.count == 2 ? try number(ends[1]) : halves.count == 2 ? range.upperBound : low
            guard low <= high else { throw wrong }
        }
        for value in stride(from: low, through: high, by: step) { insert(value) }
    }
}

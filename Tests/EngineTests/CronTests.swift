import Foundation
import MartletEngine
import MartletProtocol
import Testing

@Suite("A crontab line and a zone say when the next run is")
struct CronTests {
    private static let zones = [
        "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca",
        "Asia/Kolkata", "America/Santiago",
    ]
    private static let specs = [
        "0 0 * * *", "30 2 * * *", "*/15 * * * *", "15 1-3 * * *", "0 12 29 2 *", "5 4 * * SUN", "0 0 1,15 * MON",
        "59 23 31 * *", "0 */6 * * *", "10-50/20 2 * 3,10,11 *", "0 0 * JAN-MAR 1-5", "30 1,2,3 * * 0", "* * * * *",
    ]

    @Test("it agrees with a walk through every minute, over changes of the clock", arguments: zones)
    func agrees(name: String) throws {
        let rules = try #require(ZoneRules(tzif: Self.file(name)))
        let zone = try #require(TimeZone(identifier: name))
        for text in Self.specs {
            let spec = try CronSpec(Bytes(text.utf8))
            // Around the changes of 2026, of 2011 (Apia left a day out) and of 2090, where only the footer rules.
            for start in [1_774_700_000, 1_792_900_000, 1_325_160_000, 3_782_500_000, 1_775_300_000] {
                let expected = Walk(text, zone).runs(after: start, days: 9)
                var found: [Int] = []
                var time = Int64(start) * 1_000
                while let next = spec.next(after: time, in: rules), next <= Int64(start + 9 * 86_400) * 1_000 {
                    found.append(Int(next / 1_000))
                    time = next
                }
                #expect(found == expected, "\(text) in \(name) after \(start)")
            }
        }
    }

    @Test("a run that is years away is found, one that never comes is not")
    func rare() throws {
        let leap = try CronSpec(Bytes("0 0 29 2 *".utf8))
        // 2096-03-01: 2100 is no leap year.
        #expect(leap.next(after: 3_981_744_000_000, in: .utc) == 4_233_686_400_000)
        #expect(try CronSpec(Bytes("0 0 31 2 *".utf8)).next(after: 0, in: .utc) == nil)
    }

    @Test(
        "what is no crontab line is refused, naming the part",
        arguments: [
            "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
            "a * * * *",
            "5-1 * * * *", "*/0 * * * *", "*/x * * * *", "1,,2 * * * *", "-1 * * * *", "+1 * * * *", "1- * * * *",
            "999999999999999999999 * * * *", "* * * FOO *",
        ])
    func refused(text: String) {
        let error = #expect(throws: CommandError.self) { try CronSpec(Bytes(text.utf8)) }
        #expect(error?.description.contains("SPEC") == true)
    }

    @Test("what is no TZif file is no zone, wherever it is cut off")
    func damaged() {
        let file = Self.file("Europe/Berlin")
        for length in 0..<file.count - 40 { #expect(ZoneRules(tzif: Array(file.prefix(length))) == nil) }
    }

    private static func file(_ name: String) -> [UInt8] {
        Array(FileManager.default.contents(atPath: "/usr/share/zoneinfo/\(name)") ?? Data())
    }
}

/// The same question, answered by looking at every minute with Foundation's zones.
private struct Walk {
    let fields: [Set<Int>]
    let stars: [Bool]
    let zone: TimeZone

    init(_ text: String, _ zone: TimeZone) {
        self.zone = zone
        let parts = text.split(separator: " ").map(String.init)
        stars = parts.map { $0.hasPrefix("*") }
        let ranges = [0...59, 0...23, 1...31, 1...12, 0...6]
        let names = ["SUN": 0, "MON": 1, "JAN": 1, "MAR": 3]
        fields = zip(parts, ranges).map { part, range in
            Set(
                part.split(separator: ",").flatMap { item -> [Int] in
                    let halves = item.split(separator: "/")
                    let ends = halves[0].split(separator: "-").map { names[String($0)] ?? Int($0) ?? range.lowerBound }
                    let low = ends[0]
                    let high = halves[0] == "*" ? range.upperBound : ends.last ?? low
                    return Array(stride(from: low, through: high, by: halves.count == 2 ? Int(halves[1]) ?? 1 : 1))
                })
        }
    }

    private func matches(local: Int) -> Bool {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = TimeZone(secondsFromGMT: 0)!
        let parts = calendar.dateComponents(
            [.minute, .hour, .day, .month, .weekday], from: Date(timeIntervalSince1970: Double(local)))
        guard fields[0].contains(parts.minute!), fields[1].contains(parts.hour!), fields[3].contains(parts.month!)
        else { return false }
        let (date, weekday) = (fields[2].contains(parts.day!), fields[4].contains(parts.weekday! - 1))
        return stars[2] || stars[4] ? date && weekday : date || weekday
    }

    func runs(after start: Int, days: Int) -> [Int] {
        var runs: [Int] = []
        let offset = { (time: Int) in zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time))) }
        var time = start / 60 * 60
        var latest = (time - 86_400...time).filter { $0 % 60 == 0 }.map { $0 + offset($0) }.max() ?? 0
        while time <= start + days * 86_400 {
            let local = time + offset(time)
            var runsNow = matches(local: local) && (stars[1] || local > latest || time == start / 60 * 60)
            if !stars[1], local > latest + 60 {
                runsNow = runsNow || stride(from: latest + 60, to: local, by: 60).contains { matches(local: $0) }
            }
            if runsNow, time > start { runs.append(time) }
            latest = max(latest, local)
            time += 60
        }
        return runs
    }
}

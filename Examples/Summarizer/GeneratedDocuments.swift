/// Documents made up from a seed, the same ones for the same seed.
struct GeneratedDocuments {
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// A report of 8 to 40 sentences about one of a few subjects.
    mutating func next(number: Int) -> (title: String, text: String) {
        let subject = Self.pick(Self.subjects, &random)
        let count = Int.random(in: 8...40, using: &random)
        let text = (0..<count).map { _ in sentence(about: subject) }.joined(separator: " ")
        return ("Report \(number): \(subject)", text)
    }

    mutating func chance(percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    mutating func number(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }

    private mutating func sentence(about subject: String) -> String {
        let theme = Self.chance(60, &random) ? "the \(subject)" : Self.pick(Self.actors, &random)
        let verb = Self.pick(Self.verbs, &random)
        let object = Self.pick(Self.objects, &random)
        let circumstance = Self.pick(Self.circumstances, &random)
        return theme.prefix(1).uppercased() + theme.dropFirst() + " \(verb) \(object) \(circumstance)."
    }

    private static func chance(_ percent: Int, _ random: inout SeededGenerator) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    private static func pick(_ words: [String], _ random: inout SeededGenerator) -> String {
        words[Int.random(in: words.indices, using: &random)]
    }

    private static let subjects = [
        "harbour traffic", "water supply", "night train", "seed bank", "weather station", "city library", "wind farm",
    ]
    private static let actors = [
        "the council", "an engineer", "most visitors", "the survey", "a second team", "the archive", "nobody",
    ]
    private static let verbs = [
        "exceeded", "followed", "described", "delayed", "repaired", "measured", "replaced", "confirmed",
    ]
    private static let objects = [
        "the expected load", "last year's figures", "the old pumps", "an early forecast", "every third delivery",
        "the northern line", "a long list of complaints", "the summer schedule",
    ]
    private static let circumstances = [
        "during the first week", "in spite of heavy rain", "with fewer people than planned", "after a short pause",
        "at a third of the cost", "before the doors opened", "as the plan had said",
    ]
}

/// SplitMix64: small, fast, and the same numbers for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

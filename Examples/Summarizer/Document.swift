/// A text as sentences and their words, and the choice of those that say most.
struct Document {
    struct Sentence {
        var text: String
        /// Lower case, without stop words.
        var words: [String]
    }

    let sentences: [Sentence]
    let wordCount: Int

    init(_ text: String) {
        let split = SentenceSplitter.sentences(of: text)
        sentences = split.map { Sentence(text: $0, words: Self.words(of: $0).filter { !StopWords.contains($0) }) }
        wordCount = split.reduce(0) { $0 + Self.words(of: $1).count }
    }

    /// The best `count` sentences in their own order.
    ///
    /// A word weighs as often as it occurs; a sentence as the mean of its words, more at the beginning of the document,
    /// less when very short or very long. Once a sentence is chosen its words weigh less, so that the next one says
    /// something else.
    func summary(of count: Int) -> [String] {
        var weights = wordWeights()
        var chosen: [Int] = []
        while chosen.count < count {
            let left = sentences.indices.filter { !chosen.contains($0) && !sentences[$0].words.isEmpty }
            guard let best = left.max(by: { score($0, weights) < score($1, weights) }) else { break }
            chosen.append(best)
            for word in Set(sentences[best].words) { weights[word, default: 0] *= weights[word, default: 0] }
        }
        return chosen.sorted().map { sentences[$0].text }
    }

    /// Each word's share of the document's most frequent word: 0…1.
    private func wordWeights() -> [String: Double] {
        var counts: [String: Double] = [:]
        for sentence in sentences { for word in sentence.words { counts[word, default: 0] += 1 } }
        let most = counts.values.max() ?? 1
        return counts.mapValues { $0 / most }
    }

    private func score(_ index: Int, _ weights: [String: Double]) -> Double {
        let words = sentences[index].words
        let mean = words.reduce(0) { $0 + (weights[$1] ?? 0) } / Double(words.count)
        let position = 1 + 0.5 * (1 - Double(index) / Double(sentences.count))
        return mean * position * Self.lengthFactor(words.count)
    }

    /// 1 between 6 and 20 words, less outside.
    private static func lengthFactor(_ words: Int) -> Double {
        words < 6 ? Double(words) / 6 : words > 20 ? 20 / Double(words) : 1
    }

    private static func words(of text: String) -> [String] {
        text.lowercased().split { !$0.isLetter && !$0.isNumber && $0 != "'" }.map(String.init)
    }
}

/// Words that say nothing about what a text is about.
enum StopWords {
    static func contains(_ word: String) -> Bool { word.count < 2 || words.contains(word) }

    private static let words = Set(
        """
        a about above after again against all also am an and any are as at be because been before being below between \
        both but by can cannot could did do does doing down during each few for from further had has have having he \
        her here hers him his how i if in into is it it's its itself just may me might more most must my no nor not \
        now of off on once one only or other our out over own per same she should so some such than that the their \
        them then there these they this those through to too two under until up upon us very was we were what when \
        where which while who whom why will with within without would you your
        """.split(separator: " ").map(String.init))
}

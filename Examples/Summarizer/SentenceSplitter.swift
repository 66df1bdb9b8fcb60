/// Cuts plain text or Markdown into sentences. Headings, tables and code say nothing in a summary and are left out.
enum SentenceSplitter {
    static func sentences(of text: String) -> [String] {
        paragraphs(of: text).flatMap { split($0) }
    }

    /// Lines that belong together, joined; without what is no prose.
    private static func paragraphs(of text: String) -> [String] {
        var paragraphs: [String] = []
        var current: [Substring] = []
        var inCode = false
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            let line = trimmed(line)
            if line.hasPrefix("```") { inCode.toggle() }
            let isProse = !inCode && !line.isEmpty && !"#|`<>[!=".contains(line.first ?? "#")
            let isItem = line.hasPrefix("- ") || line.hasPrefix("* ")
            if !isProse || isItem {
                if !current.isEmpty { paragraphs.append(current.joined(separator: " ")) }
                current = []
            }
            if isProse { current.append(isItem ? line.dropFirst(2) : line) }
        }
        if !current.isEmpty { paragraphs.append(current.joined(separator: " ")) }
        return paragraphs
    }

    /// A sentence ends at `.`, `!` or `?` before a space and no lower-case letter, unless that is an abbreviation.
    private static func split(_ paragraph: String) -> [String] {
        var sentences: [String] = []
        var start = paragraph.startIndex
        var position = start
        while position < paragraph.endIndex {
            let next = paragraph.index(after: position)
            if ".!?".contains(paragraph[position]), endsSentence(paragraph[start..<next], before: paragraph[next...]) {
                sentences.append(String(trimmed(paragraph[start..<next])))
                start = next
            }
            position = next
        }
        sentences.append(String(trimmed(paragraph[start...])))
        return sentences.filter { $0.contains { $0.isLetter } }
    }

    private static func endsSentence(_ sentence: Substring, before rest: Substring) -> Bool {
        guard let space = rest.first else { return true }
        guard space.isWhitespace else { return false }
        if let first = rest.first(where: { !$0.isWhitespace }), first.isLowercase { return false }
        let last = sentence.split(separator: " ").last.map { $0.lowercased() } ?? ""
        return !abbreviations.contains(last)
    }

    private static let abbreviations: Set<String> = [
        "e.g.", "i.e.", "etc.", "vs.", "mr.", "mrs.", "ms.", "dr.", "prof.", "st.", "no.", "cf.", "ca.", "fig.",
    ]

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}

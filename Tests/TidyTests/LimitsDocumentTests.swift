import Foundation
import Testing

/// `docs/limits.md` says what `Limits.swift` says.
@Suite(.timeLimit(.minutes(1)))
struct LimitsDocumentTests {
    /// Name and value, as they stand in the source.
    private func limits(in text: String) -> [(name: String, value: String)] {
        text.split(separator: "\n").compactMap { line in
            guard let start = line.range(of: "public static let "), let equals = line.range(of: " = ") else {
                return nil
            }
            let name = line[start.upperBound..<equals.lowerBound].prefix { $0 != ":" }
            return (String(name), String(line[equals.upperBound...]))
        }
    }

    @Test
    func everyLimitStandsInTheDocumentWithItsValue() throws {
        let source = try #require(Repository.file("Sources/Protocol/Vocabulary/Limits.swift"))
        let document = try #require(Repository.file("docs/limits.md"))
        let limits = limits(in: source.text)
        #expect(limits.count > 15)
        for (name, value) in limits {
            #expect(document.text.contains("| `\(name)` | `\(value)` |"), "docs/limits.md lacks \(name) = \(value)")
        }
    }

    @Test
    func theDocumentNamesNoLimitThatIsGone() throws {
        let source = try #require(Repository.file("Sources/Protocol/Vocabulary/Limits.swift"))
        let document = try #require(Repository.file("docs/limits.md"))
        let known = Set(limits(in: source.text).map(\.name))
        let table = document.lines.drop { $0 != "## The wire contract" }.dropFirst().prefix { !$0.hasPrefix("## ") }
        let rows = table.filter { $0.hasPrefix("| `") }
        #expect(!rows.isEmpty)
        for row in rows {
            #expect(known.contains(String(row.dropFirst(3).prefix { $0 != "`" })), "docs/limits.md: \(row)")
        }
    }

    @Test
    func everyLimitOfTheBrokerStandsInTheFileTheDocumentNames() throws {
        let document = try #require(Repository.file("docs/limits.md"))
        let section = document.lines.drop { $0 != "## The broker" }.dropFirst().prefix { !$0.hasPrefix("## ") }
        let rows = section.filter { $0.hasPrefix("| `") }
        #expect(rows.count > 10)
        for row in rows {
            let cells = row.split(separator: "|").map { $0.filter { $0 != "`" }.trimmingCharacters(in: .whitespaces) }
            let source = try #require(Repository.file("Sources/" + cells[2]), "no such file: \(cells[2])")
            let isThere = source.lines.contains { line in
                let words = line.split { " :".contains($0) }
                guard let keyword = words.firstIndex(where: { $0 == "let" || $0 == "var" }) else { return false }
                return words.dropFirst(keyword + 1).first.map(String.init) == cells[0]
                    && line.hasSuffix("= " + cells[1])
            }
            #expect(isThere, "docs/limits.md: \(cells[0]) = \(cells[1]) is not in \(cells[2])")
        }
    }
}

import Testing

/// Each rule finds what it is for in a planted snippet, and nothing in a clean one.
@Suite(.timeLimit(.minutes(1)))
struct RulesBiteTests {
    private func file(_ text: String, at path: String = "Sources/Engine/Planted.swift") -> SourceFile {
        SourceFile(path: path, text: text)
    }

    @Test
    func aFileOf401LinesIsTooLong() {
        #expect(LengthRules.findings(file(String(repeating: "let a = 1\n", count: 400))) == [])
        #expect(LengthRules.findings(file(String(repeating: "let a = 1\n", count: 401))).count == 1)
    }

    @Test
    func aLineOf121CharactersIsTooLong() {
        #expect(LengthRules.findings(file(String(repeating: "x", count: 120) + "\n")) == [])
        #expect(LengthRules.findings(file(String(repeating: "x", count: 121) + "\n")).count == 1)
    }

    @Test(arguments: ["func run()", "init(a: Int)", "deinit", "static func many<A>(_ a: A) throws(E) where A: B"])
    func aFunctionOf61LinesIsTooLong(_ head: String) {
        func planted(_ lines: Int) -> SourceFile {
            file("struct S {\n\(head) {\n" + String(repeating: "step { }\n", count: lines - 2) + "}\n}\n")
        }
        #expect(LengthRules.findings(planted(60)) == [])
        #expect(LengthRules.findings(planted(61)).count == 1)
    }

    @Test
    func aRequirementWithoutABodyIsNoFunction() {
        let code = "protocol P {\nfunc a()\nvar b: Int { get }\n}\nstruct S {\nfunc c() {\n}\n}\n"
        #expect(LengthRules.functions(in: code).map(\.line) == [6])
        #expect(LengthRules.functions(in: code).map(\.lines) == [2])
    }

    @Test(
        arguments: ["public var a = 1", "public static func a() {}", "public init?(a: Int)", "public final class A {"])
    func aPublicDeclarationNeedsAComment(_ line: String) {
        #expect(DocumentedRule.findings(file("\(line)\n")).count == 1)
        #expect(DocumentedRule.findings(file("// Not for readers.\n\(line)\n")).count == 1)
        #expect(DocumentedRule.findings(file("/// One.\n    @discardableResult\n    \(line)\n")) == [])
        #expect(DocumentedRule.findings(file("\(line.dropFirst("public ".count))\npublic import A\n")) == [])
    }

    @Test(arguments: BannedWord.all.map(\.word))
    func everyBannedWordIsFoundWhereItIsBanned(_ word: String) throws {
        let entry = try #require(BannedWord.all.first { $0.word == word })
        let path = (entry.folders.first ?? "Sources/Broker") + "/Planted.swift"
        #expect(BannedWord.findings(file("let a = \(word)\n", at: path)).count == 1)
        #expect(BannedWord.findings(file("// \(word)\nlet a = \"\(word)\"\n", at: path)) == [])
        #expect(BannedWord.findings(file("let a = my\(word)s\n", at: path)).isEmpty || !entry.isWord)
    }

    @Test
    func aBannedWordInInterpolatedCodeIsFound() {
        #expect(BannedWord.findings(file("let a = \"at \\(Date()) o'clock\"\n")).count == 1)
    }

    @Test
    func printingIsAllowedInTheExecutable() {
        #expect(BannedWord.findings(file("print(1)\n", at: "Sources/martlet/Planted.swift")) == [])
    }

    @Test(arguments: BannedText.all)
    func everyBannedTextIsFoundInComments(_ text: String) {
        #expect(BannedText.findings(file("// see \(text)notes\n")).count == 1)
        #expect(BannedText.findings(file("// see the notes\n")) == [])
    }

    @Test(arguments: [
        ("Sources/Engine", "import NIOCore"), ("Sources/Engine", "public import MartletBroker"),
        ("Sources/Broker", "import CLMDB"), ("Sources/Broker", "import CZlib"),
        ("Sources/Client", "import MartletEngine"), ("Sources/Protocol", "import MartletStorage"),
        ("Sources/Storage", "import struct NIOCore.ByteBuffer"), ("Examples", "@preconcurrency import MartletBroker"),
    ])
    func anImportAgainstTheLayersIsFound(_ folder: String, _ line: String) {
        #expect(ImportGraph.findings(file("\(line)\n", at: "\(folder)/Planted.swift")).count == 1)
        #expect(ImportGraph.findings(file("// \(line)\n", at: "\(folder)/Planted.swift")) == [])
    }

    @Test
    func commentsAndStringsAreNoCode() {
        let text = #"a /* b /* c */ d */ "e \(f("g")) \" h" // i"# + "\n\"\"\"\n j \"k\"\n\"\"\"\n#\"l \\(m)\"# n\n"
        let words = CodeOnly.of(text).split { !$0.isLetter }
        #expect(words == ["a", "f", "n"])
    }
}

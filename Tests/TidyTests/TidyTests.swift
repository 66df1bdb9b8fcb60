import Testing

/// The house style, as far as a machine can see it.
@Suite(.timeLimit(.minutes(2)))
struct TidyTests {
    @Test
    func theWalkFindsTheProject() {
        let paths = Set(Repository.swiftFiles.map(\.path))
        #expect(paths.contains("Sources/Protocol/Vocabulary/Limits.swift"))
        #expect(paths.contains("Tests/TidyTests/TidyTests.swift"))
        #expect(Repository.textFiles.contains { $0.path == "tools/test" })
    }

    @Test
    func nothingIsTooLong() {
        for file in Repository.swiftFiles {
            #expect(LengthRules.findings(file) == [])
        }
    }

    @Test
    func noBannedWordStandsInCode() {
        for file in Repository.swiftFiles {
            #expect(BannedWord.findings(file) == [])
        }
    }

    @Test
    func everythingPublicOfTheClientIsDocumented() {
        for file in Repository.swiftFiles where file.isIn("Sources/Client") {
            #expect(DocumentedRule.findings(file) == [])
        }
    }

    @Test
    func noTextTiesTheProjectToOneMachine() {
        for file in Repository.textFiles {
            #expect(BannedText.findings(file) == [])
        }
    }

    @Test
    func everyImportFollowsTheLayers() {
        for file in Repository.swiftFiles {
            #expect(ImportGraph.findings(file) == [])
        }
    }

    @Test
    func everyFolderOfSourcesHasItsLayer() {
        let folders = Set(
            Repository.swiftFiles.map(\.path).filter { $0.hasPrefix("Sources/") }
                .map { $0.split(separator: "/").prefix(2).joined(separator: "/") })
        #expect(folders.subtracting(ImportGraph.allowed.keys) == [])
    }
}

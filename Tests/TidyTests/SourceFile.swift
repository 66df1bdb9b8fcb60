import Foundation

/// A text file of this repository, as the rules see it.
struct SourceFile {
    /// From the root of the repository, with `/`.
    let path: String
    let text: String

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// Whether it lies somewhere below `folder`.
    func isIn(_ folder: String) -> Bool { path.hasPrefix(folder + "/") }
}

/// The repository these tests were compiled from.
enum Repository {
    static let root: URL = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url
    }()

    /// Every Swift file of the project.
    static var swiftFiles: [SourceFile] {
        ["Sources", "Tests", "Examples", "Benchmarks"].flatMap { files(below: $0) { $0.hasSuffix(".swift") } }
    }

    /// Every text file of the project that people write.
    static var textFiles: [SourceFile] {
        let endings = [".swift", ".py", ".md", ".sh", ".c", ".h", ".json", ".txt"]
        let folders = ["Sources", "Tests", "Examples", "Benchmarks", "docs", "tools"]
        let inFolders = folders.flatMap { folder in
            files(below: folder) { name in folder == "tools" || endings.contains { name.hasSuffix($0) } }
        }
        return inFolders + ["README.md", "CHANGELOG.md", "Package.swift"].compactMap(file)
    }

    /// The file at `path`; `nil`: there is none, or it is no text.
    static func file(_ path: String) -> SourceFile? {
        guard let text = try? String(contentsOf: root.appendingPathComponent(path), encoding: .utf8) else { return nil }
        return SourceFile(path: path, text: text)
    }

    private static func files(below folder: String, where isWanted: (String) -> Bool) -> [SourceFile] {
        let paths = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)
        return (paths?.compactMap { $0 as? String } ?? []).sorted().filter(isWanted)
            .filter { !$0.contains("__pycache__") && !$0.contains(".pytest_cache") }
            .compactMap { file("\(folder)/\($0)") }
    }
}

/// Which modules each folder may import: the layers of the system.
enum ImportGraph {
    /// Modules of ours per folder, and other modules where those are limited too (`nil`: any).
    static let allowed: [String: (ours: Set<String>, others: Set<String>?)] = [
        "Sources/Storage": (["CLMDB", "CZlib", "CChecksum"], ["Glibc", "Synchronization", "FoundationEssentials"]),
        "Sources/Protocol": ([], ["NIOCore"]),
        "Sources/Engine": (["MartletStorage", "MartletProtocol"], ["Histogram"]),
        "Sources/Broker": (["MartletEngine", "MartletStorage", "MartletProtocol"], nil),
        "Sources/Client": (["MartletProtocol"], nil),
        "Sources/Bench": (["MartletProtocol"], nil),
        "Sources/martlet": (["MartletBroker", "MartletBench", "MartletClient", "MartletProtocol"], nil),
        "Examples": (["MartletClient"], nil),
    ]

    /// Imports in `file` that its folder must not have.
    static func findings(_ file: SourceFile) -> [String] {
        guard let (folder, modules) = allowed.first(where: { file.isIn($0.key) }) else { return [] }
        return imports(in: file).compactMap { module in
            let isOurs = module.hasPrefix("Martlet") || module == "CLMDB" || module == "CZlib" || module == "CChecksum"
            let isAllowed = isOurs ? modules.ours.contains(module) : modules.others?.contains(module) ?? true
            return isAllowed ? nil : "\(file.path): \(folder) must not import \(module)"
        }
    }

    /// The modules `file` imports, whatever stands before `import`.
    static func imports(in file: SourceFile) -> [String] {
        CodeOnly.of(file.text).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let keyword = words.firstIndex(of: "import"), words[..<keyword].allSatisfy(isModifier) else {
                return nil
            }
            // `import struct Module.Name`
            let name = words.dropFirst(keyword + 1).last.map { $0.split(separator: ".")[0] }
            return name.map(String.init)
        }
    }

    private static func isModifier(_ word: Substring) -> Bool {
        word.hasPrefix("@") || ["public", "package", "internal", "private", "fileprivate"].contains(word)
    }
}

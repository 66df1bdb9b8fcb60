public import MartletProtocol
public import MartletStorage

/// Reads all tables of a data directory that nobody serves, says where they disagree, and mends what can be derived.
public struct DataCheck {
    /// What was found.
    public struct Report: Sendable {
        /// The first ones of the first walk.
        public var found: [Disagreement] = []
        /// How many there were, those beyond `found` too.
        public var count = 0
        /// How many are left; the same as `count` unless it was to repair.
        public var left = 0
        public var tasks = 0
    }

    /// Walks that repair; each can uncover what the one before hid.
    private static let mostWalks = 20
    /// Changes of one transaction.
    private static let group = 1_000

    private let environment: Environment
    private let now: Timestamp
    private let progress: (String, Int) -> Void

    /// - Parameter progress: is told now and then which table is read and how many records of it were.
    /// - Throws: `.busy` if a broker holds the directory.
    public init(
        directory: String, maxBytes: Int = 1 << 40, now: Timestamp,
        progress: @escaping (String, Int) -> Void = { _, _ in }
    ) throws(StorageError) {
        environment = try Environment(
            directory: directory, tables: Tables.all, options: EnvironmentOptions(maxBytes: maxBytes))
        (self.now, self.progress) = (now, progress)
    }

    /// Walks; with `repair` it mends, and walks again until nothing is left that it can mend.
    public func run(repair: Bool) throws(StorageError) -> Report {
        defer { environment.close() }
        let first = try walk()
        var report = Report(found: first.findings, count: first.count, left: first.count)
        report.tasks = try environment.read { (transaction) throws(StorageError) in
            try transaction.count(Tables.tasks)
        }
        guard repair else { return report }
        var findings = first.findings
        for _ in 0..<Self.mostWalks where findings.contains(where: \.isRepairable) {
            try mend(findings)
            let next = try walk()
            (findings, report.left) = (next.findings, next.count)
        }
        return report
    }

    private func walk() throws(StorageError) -> Audit {
        var audit = Audit(now: now, progress: progress)
        try environment.read { (transaction) throws(StorageError) in try audit.run(transaction) }
        return audit
    }

    private func mend(_ findings: [Disagreement]) throws(StorageError) {
        var rest = findings.flatMap(\.repairs)[...]
        while !rest.isEmpty {
            let group = rest.prefix(Self.group)
            rest = rest.dropFirst(Self.group)
            try environment.write { (transaction) throws(StorageError) in
                for repair in group { try repair.apply(transaction) }
            }
        }
    }
}

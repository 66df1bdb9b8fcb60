/// A list that the broker gives page by page, fetched as it is read.
///
///     for try await task in client.tasks(TaskQuery(queue: "mail", state: .dead)) { print(task.id) }
///
/// A list shows each entry at the moment its page was fetched; what is added meanwhile may or may not come.
public struct Pages<Element: Sendable>: AsyncSequence, Sendable {
    typealias Fetch = @Sendable (_ cursor: String) async throws(MartletError) -> (next: String, page: [Element])

    let fetch: Fetch

    /// Reads from the first page on; each iterator by itself.
    public func makeAsyncIterator() -> Iterator { Iterator(fetch: fetch) }

    /// One reader of the list.
    public struct Iterator: AsyncIteratorProtocol {
        let fetch: Fetch
        private var page: ArraySlice<Element> = []
        private var cursor: String? = "0"

        init(fetch: @escaping Fetch) { self.fetch = fetch }

        /// - Throws: what the client throws; `cancelled` when the Swift task was.
        public mutating func next() async throws(MartletError) -> Element? {
            // A page may be empty with more behind it.
            while page.isEmpty, let from = cursor {
                guard !Task.isCancelled else { throw .cancelled }
                let (next, fetched) = try await fetch(from)
                page = fetched[...]
                cursor = next == "0" ? nil : next
            }
            return page.popFirst()
        }

        /// The next entry; `nil` at the end.
        /// - Throws: what the client throws; `cancelled` when the Swift task was.
        public mutating func next(isolation: isolated (any Actor)?) async throws(MartletError) -> Element? {
            try await next()
        }
    }
}

extension Pages {
    /// All entries, at most `limit`.
    public func collect(limit: Int = 10_000) async throws(MartletError) -> [Element] {
        var all: [Element] = []
        var iterator = makeAsyncIterator()
        while all.count < limit, let element = try await iterator.next() { all.append(element) }
        return all
    }
}

extension Pages {
    /// Reads `[cursor, [entries]]`.
    static func read(
        _ reply: RESPValue, _ element: (RESPValue) throws(MartletError) -> Element
    ) throws(MartletError) -> (next: String, page: [Element]) {
        guard let parts = reply.elements, parts.count == 2, let cursor = parts[0].word, let rows = parts[1].elements
        else { throw .decoding("not a page of a list") }
        var page: [Element] = []
        for row in rows { page.append(try element(row)) }
        return (cursor, page)
    }
}

extension RESPValue {
    /// Text, or an integer as text.
    var word: String? {
        if case .integer(let number) = self { return String(number) }
        return text
    }
}

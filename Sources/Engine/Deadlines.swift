import MartletProtocol

/// Instants with something attached, in order: exact removal, no stale entries. In chunks, so that a million cost
/// microseconds, not milliseconds, to insert into; nearly always the new one is the latest, which is appended.
struct Deadlines {
    struct Entry: Comparable {
        var at: Timestamp
        var id: UInt64

        static func < (left: Entry, right: Entry) -> Bool {
            left.at != right.at ? left.at < right.at : left.id < right.id
        }
    }

    private static let chunk = 512
    private var chunks: [[Entry]] = []
    private(set) var count = 0

    var first: Entry? { chunks.first?.first }

    mutating func insert(_ entry: Entry) {
        count += 1
        guard let last = chunks.last?.last else {
            chunks.append([entry])
            return
        }
        let index = last < entry ? chunks.count - 1 : chunkIndex(entry)
        let place = last < entry ? chunks[index].count : Self.lowerBound(chunks[index], entry)
        chunks[index].insert(entry, at: place)
        if chunks[index].count > Self.chunk { split(index) }
    }

    /// Removes an entry; `false` if it is not there.
    @discardableResult
    mutating func remove(_ entry: Entry) -> Bool {
        let index = chunkIndex(entry)
        guard index < chunks.count else { return false }
        let place = Self.lowerBound(chunks[index], entry)
        guard place < chunks[index].count, chunks[index][place] == entry else { return false }
        chunks[index].remove(at: place)
        if chunks[index].isEmpty { chunks.remove(at: index) }
        count -= 1
        return true
    }

    /// Visits the entries in order until `body` returns `false`.
    func forEach(_ body: (Entry) -> Bool) {
        for chunk in chunks { for entry in chunk where !body(entry) { return } }
    }

    /// The first chunk that could hold `entry`: whose last entry is not below it.
    private func chunkIndex(_ entry: Entry) -> Int {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if let last = chunks[middle].last, last < entry { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func lowerBound(_ chunk: [Entry], _ entry: Entry) -> Int {
        var low = 0
        var high = chunk.count
        while low < high {
            let middle = (low + high) / 2
            if chunk[middle] < entry { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func split(_ index: Int) {
        // A full last chunk is left full, as entries keep coming behind it.
        let at = index == chunks.count - 1 ? Self.chunk : Self.chunk / 2
        let tail = Array(chunks[index][at...])
        chunks[index].removeSubrange(at...)
        chunks.insert(tail, at: index + 1)
    }
}

import MartletProtocol
import MartletStorage

/// An index whose keys are in the order of a list.
enum ListSource {
    /// Every task, as they were added.
    case tasks
    /// Those in somebody's hands, as they were added.
    case active
    /// One range of a queue's waiting tasks that need the same limits, by due time.
    case waiting(UInt32, WaitingRange, UInt16)
    /// The same as far as they are due by an instant.
    case due(UInt32, WaitingRange, UInt16, by: Timestamp)
    /// Those of them that are of one group.
    case line(UInt32, WaitingRange, UInt16, group: UInt64, by: Timestamp)
    /// A queue's ended tasks of a state, by the time of their end.
    case ended(UInt32, TaskState)

    var table: Table {
        switch self {
        case .tasks: Tables.tasks
        case .active: Tables.states
        case .waiting, .due: Tables.waiting
        case .line: Tables.lines
        case .ended: Tables.ended
        }
    }

    var prefix: KeyBytes {
        switch self {
        case .tasks: KeyBytes()
        case .active: Phase.active.prefix
        case .waiting(let queue, let range, let limits), .due(let queue, let range, let limits, _):
            WaitingKey.prefix(queue: queue, range: range, limits: limits)
        case .line(let queue, let range, let limits, let group, _):
            LineKey.prefix(queue: queue, range: range, limits: limits, group: group)
        case .ended(let queue, let state): EndedKey.prefix(queue: queue, state: state)
        }
    }

    private func key(_ place: ListPlace) -> KeyBytes {
        var key = prefix
        switch self {
        case .tasks, .active: break
        case .waiting, .due, .line, .ended: key.append(place.time)
        }
        key.append(place.sequence)
        return key
    }

    private func place(_ key: KeyBytes) -> ListPlace {
        var reader = key.reader
        switch self {
        case .tasks: return ListPlace(time: 0, sequence: reader.next())
        case .active:
            _ = reader.next(UInt8.self)
            return ListPlace(time: 0, sequence: reader.next())
        case .waiting, .due:
            let key = WaitingKey(key)
            return ListPlace(time: key.due, sequence: key.sequence)
        case .line:
            let key = LineKey.read(key).key
            return ListPlace(time: key.due, sequence: key.sequence)
        case .ended:
            _ = reader.next(UInt32.self)
            _ = reader.next(UInt8.self)
            let time = reader.nextSigned()
            return ListPlace(time: time, sequence: reader.next())
        }
    }

    /// Before which place it ends.
    private var end: ListPlace {
        switch self {
        case .tasks, .active, .waiting, .ended: .end
        case .due(_, _, _, let instant), .line(_, _, _, _, let instant): ListPlace(time: instant + 1, sequence: 0)
        }
    }

    /// The first place behind `place`, or the last one before it.
    func step<A>(
        from place: ListPlace, isReversed: Bool, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) -> ListPlace? {
        if isReversed {
            return try transaction.last(table, before: key(min(place, end)), prefix: prefix).map(self.place)
        }
        guard let next = place.next else { return nil }
        let found = try transaction.first(table, from: key(next), prefix: prefix).map { self.place($0.key) }
        return found.flatMap { $0 < end ? $0 : nil }
    }
}

/// Several sources as one, in the order of their places. Every step is a look-up, so that the source may change between
/// two pages.
struct ListWalk {
    private struct Head {
        var place: ListPlace
        var source: ListSource
    }

    let isReversed: Bool
    /// Only places strictly between these two.
    let after: ListPlace
    let before: ListPlace
    /// A heap: the next one on top.
    private var heads: [Head] = []

    init(isReversed: Bool, after: ListPlace = .start, before: ListPlace = .end) {
        (self.isReversed, self.after, self.before) = (isReversed, after, before)
    }

    /// Adds a source, behind (or before) `place`.
    mutating func add<A>(
        _ source: ListSource, from place: ListPlace, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        let from = isReversed ? min(place, before) : max(place, after)
        guard let first = try source.step(from: from, isReversed: isReversed, transaction), isWithin(first) else {
            return
        }
        heads.append(Head(place: first, source: source))
        rise(heads.count - 1)
    }

    /// The place the walk comes to next.
    mutating func next<A>(_ transaction: borrowing Transaction<A>) throws(StorageError) -> ListPlace? {
        guard let head = heads.first else { return nil }
        let next = try head.source.step(from: head.place, isReversed: isReversed, transaction)
        if let next, isWithin(next) {
            heads[0].place = next
        } else {
            heads[0] = heads[heads.count - 1]
            heads.removeLast()
        }
        sink()
        return head.place
    }

    private func isWithin(_ place: ListPlace) -> Bool { isReversed ? place > after : place < before }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        isReversed ? heads[left].place > heads[right].place : heads[left].place < heads[right].place
    }

    private mutating func rise(_ index: Int) {
        var index = index
        while index > 0, precedes(index, (index - 1) / 2) {
            heads.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func sink() {
        var index = 0
        while true {
            var first = index
            for child in [2 * index + 1, 2 * index + 2] where child < heads.count && precedes(child, first) {
                first = child
            }
            guard first != index else { return }
            heads.swapAt(index, first)
            index = first
        }
    }
}

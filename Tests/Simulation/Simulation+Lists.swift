internal import MartletEngine
internal import MartletProtocol
internal import MartletStorage

/// A list that is read page by page, with all kinds of changes between the pages.
struct SlowList {
    var request: ListRequest
    var seen: [TaskID] = []
    /// What belonged to it all the time.
    var steady: Set<TaskID>
}

/// TASK.LIST, page by page.
extension Simulation {
    /// One list, read to its end at once, is what the model says.
    func compareList<A>(
        _ engine: borrowing Engine, _ transaction: borrowing Transaction<A>
    ) throws(StorageError) {
        var request = generator.list(withStates: true)
        let asked = request
        note("\(readable(asked))")
        let expected = model.list(request, now)
        var views: [TaskView] = []
        for _ in 0..<10_000 {
            switch try engine.answer(.list(request), now: now, in: transaction) {
            case .list(let next, let tasks):
                if tasks.count > request.count { found("a page of \(tasks.count) for COUNT \(request.count)") }
                views += tasks
                guard let next else { return compare(expected, .list(views.map(Sight.init))) }
                if ListCursor(next.text) != next { found("cursor \(next) does not survive its text") }
                request.cursor = next
            case let other: return compare(expected, Outcome(other))
            }
        }
        found("the list never ends: \(asked)")
    }

    /// One more page of the slow list.
    func readSlowList() {
        guard var list = slowList else {
            var request = generator.list(withStates: false)
            request.bounds.examined = random.pick([1, 2, 5])
            slowList = SlowList(request: request, steady: Set(model.tasks.keys))
            return
        }
        list.steady = list.steady.filter { id in
            model.tasks[id].map { list.request.admits($0, model.shown($0, now)) } ?? false
        }
        slowList = list
        guard random.chance(70) else { return }
        do throws(StorageError) {
            try store.read { engine, transaction throws(StorageError) in
                let answer = try engine.answer(.list(list.request), now: self.now, in: transaction)
                guard case .list(let next, let tasks) = answer else { return self.found("a list got \(answer)") }
                list.seen += tasks.map(\.id)
                list.request.cursor = next
            }
        } catch {
            found("reading failed: \(error)")
        }
        slowList = list
        guard list.request.cursor == nil else { return }
        slowList = nil
        if Set(list.seen).count != list.seen.count { found("a slow list tells a task twice") }
        if !list.steady.isSubset(of: list.seen) {
            found("a slow list misses \(list.steady.subtracting(list.seen).sorted())")
        }
    }
}

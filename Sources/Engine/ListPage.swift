import MartletProtocol

/// One page of a list while it is put together, and what it is allowed to cost.
struct ListPage {
    let request: ListRequest
    /// The numbers of the names asked for.
    let queue: UInt32?
    let type: UInt32?
    private(set) var views: [TaskView] = []
    /// Which lines of limits are closed.
    var look = LineLook()
    private var examined = 0
    private var bytes = 0

    init(_ request: ListRequest, queue: UInt32?, type: UInt32?) {
        (self.request, self.queue, self.type) = (request, queue, type)
    }

    var isFull: Bool {
        views.count >= min(request.count, request.bounds.told) || examined >= request.bounds.examined
            || bytes >= request.bounds.bytes
    }

    /// One more entry was looked at.
    mutating func examine() { examined += 1 }

    /// Whether a task may be in the list, as far as its record says.
    mutating func admits(_ task: TaskRecord) -> Bool {
        bytes += task.hasBody ? 0 : task.payloadSize
        for field in task.meta { bytes += field.name.count + field.value.count }
        for tag in task.tags { bytes += tag.count }
        return queue.map { $0 == task.queue } ?? true && type.map { $0 == task.type } ?? true
            && request.tag.map { task.tags.contains($0) } ?? true
            && request.group.map { task.group == $0 } ?? true
    }

    /// Takes a task into the list if it belongs there.
    mutating func offer(_ view: TaskView) {
        bytes += (view.lastError?.count ?? 0) + (view.note?.count ?? 0)
        if let kind = request.kind, view.errorKind != kind { return }
        if let worker = request.worker, view.worker != worker { return }
        switch request.state {
        case nil: break
        case .state(let state): guard view.state == state else { return }
        case .failed:
            let failed = view.state == .scheduled && view.attempt > 0 && view.lastError != nil
            guard failed || view.state == .dead else { return }
        }
        switch request.order {
        case .added: break
        case .run: guard view.state != .active, !view.state.isEnded else { return }
        case .ended: guard view.state.isEnded else { return }
        }
        views.append(view)
    }
}

extension ListRequest {
    /// The states of the tasks it can tell: a worker is named with what it holds and what it completed.
    var states: [TaskState] {
        worker == nil ? orderedStates : orderedStates.filter { $0 == .active || $0 == .completed }
    }

    private var orderedStates: [TaskState] {
        let states: [TaskState] =
            switch state {
            case nil: TaskState.allCases
            case .state(let state): [state]
            case .failed: [.scheduled, .dead]
            }
        switch order {
        case .added: return states
        case .run: return states.filter { $0 == .pending || $0 == .scheduled || $0 == .blocked }
        case .ended: return states.filter(\.isEnded)
        }
    }

    /// An order that has no place for a task in the state asked for.
    var refusal: CommandError? {
        guard case .state(let state) = self.state, orderedStates.isEmpty else { return nil }
        let advice =
            order == .run ? "BY RUN lists the tasks that wait" : "BY ENDED lists the tasks that have ended"
        return CommandError(.error, "\(advice), and \(state.name) is not among them; leave BY out")
    }
}

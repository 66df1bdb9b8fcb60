import MartletEngine
import MartletProtocol

/// How the engine's answers look on the wire: the field names and their order are the contract.
extension ReplyWriter {
    mutating func answer(_ answer: Answer) {
        switch answer {
        case .ok: ok()
        case .refused(let error): self.error(error)
        case .id(let id): bulk(id)
        case .added(let task): added(task)
        case .state(let state): bulk(state.name)
        case .count(let count): integer(count)
        case .ids(let ids): each(ids) { $0.bulk($1) }
        case .addedMany(let tasks): each(tasks) { $0.added($1) }
        case .handedOut(let tasks): handedOut(tasks)
        case .blocked: break
        case .many(let refusals):
            array(refusals.count)
            for refusal in refusals { refusal.map { error($0) } ?? ok() }
        case .failed(let attempt): failed(attempt)
        case .touched(let deadline, let cancel):
            map(2)
            field("deadline", deadline)
            bulk("cancel")
            boolean(cancel)
        case .task(let view): task(view)
        case .list(let next, let tasks):
            array(2)
            bulk(next?.text ?? Bytes("0".utf8))
            each(tasks) { $0.task($1) }
        case .why(let view): why(view)
        case .bytes(let bytes): bytes.map { bulk($0) } ?? null()
        case .queue(let view): queue(view)
        case .queues(let views): each(views) { $0.queue($1) }
        case .logLines(let next, let lines): logLines(next, lines)
        case .waited(let tasks): waited(tasks)
        case .beat(let beat): self.beat(beat)
        case .worker(let view): worker(view)
        case .workers(let views): each(views) { $0.worker($1) }
        case .queueOptions(let options): self.options(options)
        case .operation(let number): bulk(OperationID.text(number))
        case .operations(let views): each(views) { $0.operation($1) }
        case .deadKinds(let kinds, let next): deadKinds(kinds, next)
        case .cron(let view, let history): cron(view, history: history)
        case .crons(let views): each(views) { $0.cron($1) }
        case .times(let times): each(times) { $0.integer($1) }
        case .allowed(let phase, let isAllowed): allowed(phase, isAllowed)
        case .breaker(let view): breaker(view)
        case .breakers(let views): each(views) { $0.breaker($1) }
        case .taken(let answer): taken(answer)
        case .limit(let view): limit(view)
        case .limits(let views): each(views) { $0.limit($1) }
        case .batch(let view): batch(view)
        }
    }

    /// An array, item by item.
    mutating func each<Item>(_ items: [Item], _ write: (inout ReplyWriter, Item) -> Void) {
        array(items.count)
        for item in items { write(&self, item) }
    }

    mutating func field(_ name: StaticString, _ value: Int64?) {
        bulk(name)
        value.map { integer($0) } ?? null()
    }

    mutating func field(_ name: StaticString, _ value: Double?) {
        bulk(name)
        value.map { double($0) } ?? null()
    }

    mutating func field(_ name: StaticString, _ value: Bytes?) {
        bulk(name)
        value.map { bulk($0) } ?? null()
    }

    mutating func field(_ name: StaticString, _ value: TaskID) {
        bulk(name)
        bulk(value)
    }

    mutating func field(_ name: StaticString, text: String?) {
        bulk(name)
        text.map { bulk($0) } ?? null()
    }

    mutating func field(_ name: StaticString, flag: Bool) {
        bulk(name)
        boolean(flag)
    }

    private mutating func added(_ task: AddedTask) {
        map(4)
        field("id", task.id)
        field("state", text: task.state?.name)
        field("created", flag: task.created)
        field("run_at", task.runAt)
    }

    private mutating func failed(_ attempt: FailedAttempt) {
        map(4)
        field("state", text: attempt.state.name)
        field("attempt", attempt.attempt)
        field("retries_left", attempt.retriesLeft)
        field("run_at", attempt.runAt)
    }

    /// What every worker reads all day: the names are encoded already.
    private mutating func handedOut(_ tasks: [HandOut]) {
        guard !tasks.isEmpty else { return nullArray() }
        array(tasks.count)
        for task in tasks {
            map(15)
            pieces(atMost: 512 + task.queue.count + task.type.count + task.payload.count) {
                $0.raw("$2\r\nid\r\n")
                $0.bulk(task.id)
                $0.raw("$5\r\nqueue\r\n")
                $0.bulk(task.queue)
                $0.raw("$4\r\ntype\r\n")
                $0.bulk(task.type)
                $0.raw("$7\r\npayload\r\n")
                $0.bulk(task.payload)
                $0.raw("$8\r\npriority\r\n")
                $0.integer(Int64(task.priority))
                $0.raw("$7\r\nattempt\r\n")
                $0.integer(task.attempt)
                $0.raw("$7\r\nretries\r\n")
                $0.integer(task.retries)
                $0.raw("$5\r\ntoken\r\n")
                $0.integer(task.token)
                $0.raw("$8\r\nlease_ms\r\n")
                $0.integer(task.lease)
                $0.raw("$8\r\ndeadline\r\n")
                $0.integer(task.deadline)
                $0.raw("$11\r\nenqueued_at\r\n")
                $0.integer(task.enqueuedAt)
                $0.raw("$6\r\nrun_at\r\n")
                $0.integer(task.runAt)
                $0.raw("$4\r\nmeta\r\n")
            }
            meta(task.meta)
            raw("$4\r\ntags\r\n")
            tags(task.tags)
            raw("$10\r\nlast_error\r\n")
            task.lastError.map { bulk($0) } ?? null()
        }
    }
}

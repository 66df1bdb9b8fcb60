import MartletEngine
import MartletProtocol

extension ReplyWriter {
    /// TASK.GET.
    mutating func task(_ view: TaskView) {
        map(28 + (view.payload == nil ? 0 : 1) + (view.history == nil ? 0 : 1))
        field("id", view.id)
        field("queue", view.queue)
        field("type", view.type)
        field("state", text: view.state.name)
        field("priority", Int64(view.priority))
        field("attempt", view.attempt)
        field("retries", view.retries)
        field("retries_left", view.retriesLeft)
        field("token", view.token)
        field("worker", view.worker)
        field("enqueued_at", view.enqueuedAt)
        field("run_at", view.runAt)
        field("started_at", view.startedAt)
        field("deadline", view.deadline)
        field("ended_at", view.endedAt)
        field("last_error", view.lastError)
        field("error_kind", view.errorKind)
        field("progress", view.progress.map(Int64.init))
        field("note", view.note)
        field("cancel", flag: view.cancel)
        field("unique", view.unique)
        field("group", view.group)
        field("order", view.order)
        bulk("tags")
        tags(view.tags)
        bulk("meta")
        meta(view.meta)
        field("keep_until", view.keepUntil)
        field("result_size", view.resultSize.map(Int64.init))
        field("payload_size", Int64(view.payloadSize))
        if let payload = view.payload { field("payload", payload) }
        if let history = view.history {
            bulk("history")
            array(history.count)
            for entry in history { self.entry(entry) }
        }
    }

    mutating func tags(_ tags: [Bytes]) {
        array(tags.count)
        for tag in tags { bulk(tag) }
    }

    mutating func meta(_ fields: [MetaField]) {
        map(fields.count)
        for field in fields {
            bulk(field.name)
            bulk(field.value)
        }
    }

    private mutating func entry(_ entry: HistoryEntry) {
        map(9)
        field("at", entry.at)
        field("from", text: entry.from?.name)
        field("to", text: entry.to.name)
        field("attempt", entry.attempt)
        field("reason", text: entry.reason)
        field("kind", entry.kind)
        field("message", entry.message)
        field("trace", entry.trace)
        field("worker", entry.worker)
    }

    /// QUEUE.INFO.
    mutating func queue(_ view: QueueView) {
        map(25)
        field("name", view.name)
        field("pending", view.pending)
        field("scheduled", view.scheduled)
        field("active", view.active)
        field("blocked", view.blocked)
        field("dlq", view.dead)
        field("completed", view.completed)
        field("cancelled", view.cancelled)
        field("expired", view.expired)
        field("total_added", view.totalAdded)
        field("total_completed", view.totalCompleted)
        field("total_failed", view.totalFailed)
        field("oldest_ms", view.oldest)
        field("in_rate", view.inRate)
        field("out_rate", view.outRate)
        field("fail_rate", view.failRate)
        field("wait_p50", view.waits?.half)
        field("wait_p99", view.waits?.most)
        field("run_p50", view.runs?.half)
        field("run_p99", view.runs?.most)
        field("paused", flag: view.paused)
        field("draining", flag: view.draining)
        field("retry_share", Int64(view.retryShare))
        field("workers", Int64(view.workers))
        field("lagging", flag: view.lagging)
    }
}

import MartletEngine
import MartletProtocol

extension ReplyWriter {
    /// WORKER.BEAT.
    mutating func beat(_ beat: BeatAnswer) {
        map(3)
        field("state", text: beat.order.name)
        bulk("cancel")
        ids(beat.cancel)
        bulk("lost")
        ids(beat.lost)
    }

    /// WORKER.INFO.
    mutating func worker(_ worker: WorkerView) {
        map(13)
        field("id", worker.name)
        field("host", worker.host)
        field("pid", worker.process)
        field("state", text: worker.state)
        field("slots", worker.slots)
        field("busy", worker.busy)
        bulk("queues")
        array(worker.queues.count)
        for queue in worker.queues { bulk(queue) }
        field("rss", worker.residentBytes)
        field("last_beat", worker.lastBeat)
        field("started", worker.started)
        field("completed", worker.completed)
        field("failed", worker.failed)
        bulk("tasks")
        ids(worker.tasks)
    }

    /// TASK.LOGS.
    mutating func logLines(_ next: UInt64, _ lines: [TaskLogLine]) {
        array(2)
        bulk(String(next))
        array(lines.count)
        for line in lines {
            map(3)
            field("at", line.at)
            field("attempt", line.attempt)
            field("line", line.line)
        }
    }

    /// TASK.WAIT.
    mutating func waited(_ tasks: [WaitedTask]) {
        array(tasks.count)
        for task in tasks {
            map(4)
            field("id", task.name)
            field("state", text: task.state?.name)
            field("result", task.result)
            field("error", task.error)
        }
    }

    private mutating func ids(_ ids: [TaskID]) {
        array(ids.count)
        for id in ids { bulk(id) }
    }
}

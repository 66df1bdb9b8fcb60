import MartletEngine
import MartletProtocol

extension ReplyWriter {
    /// CRON.GET.
    mutating func cron(_ view: CronView, history: Bool = false) {
        map(history ? 14 : 13)
        field("name", view.name)
        field("queue", view.queue)
        field("type", view.type)
        switch view.schedule {
        case .spec(let text):
            field("spec", text)
            field("every", nil as Int64?)
        case .every(let span):
            field("spec", nil as Bytes?)
            field("every", span)
        }
        field("tz", view.zone)
        field("overlap", text: view.overlap == .skip ? "SKIP" : "ALLOW")
        field("catchup", text: view.catchup == .none ? "NONE" : view.catchup == .one ? "ONE" : "ALL")
        field("paused", flag: view.isPaused)
        field("last_run", view.history.last?.at)
        bulk("last_id")
        view.history.last.map { bulk($0.id) } ?? null()
        field("next_run", view.nextRun)
        field("runs", view.runs)
        guard history else { return }
        bulk("history")
        each(view.history) { writer, run in
            writer.map(2)
            writer.field("at", run.at)
            writer.bulk("id")
            writer.bulk(run.id)
        }
    }
}

import MartletEngine
import MartletProtocol

extension ReplyWriter {
    /// LIMIT.TAKE: the five fields of redis-cell's CL.THROTTLE, in milliseconds, and of slots the permit.
    mutating func taken(_ answer: TakeAnswer) {
        array(answer.isOfSlots ? 6 : 5)
        integer(answer.isLimited ? 1 : 0)
        integer(answer.limit)
        integer(answer.remaining)
        integer(answer.retryAfter ?? -1)
        integer(answer.reset)
        guard answer.isOfSlots else { return }
        if let permit = answer.permit { integer(permit) } else { null() }
    }

    /// LIMIT.GET.
    mutating func limit(_ view: LimitView) {
        map(10)
        field("name", view.name)
        field("rate", view.rate)
        field("per", view.per)
        field("burst", view.burst)
        field("slots", view.slots)
        field("available", view.available)
        field("waiting", view.waiting)
        field("granted", view.granted)
        field("refused", view.refused)
        bulk("utilisation")
        double(view.utilisation)
    }

    /// BREAKER.ALLOW.
    mutating func allowed(_ phase: BreakerPhase, _ isAllowed: Bool) {
        map(2)
        field("state", text: phase.name)
        field("allowed", flag: isAllowed)
    }

    /// BREAKER.GET.
    mutating func breaker(_ view: BreakerView) {
        map(10)
        field("name", view.name)
        field("state", text: view.phase.name)
        field("fails", view.settings.fails)
        field("per", view.settings.per)
        field("cool", view.settings.cool)
        field("probes", view.settings.probes)
        bulk("kinds")
        array(view.settings.kinds.count)
        for kind in view.settings.kinds { bulk(kind) }
        field("failures", view.failures)
        field("opened_at", view.openedAt)
        field("retry_at", view.retryAt)
    }
}

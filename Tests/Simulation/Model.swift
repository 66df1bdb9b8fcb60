internal import MartletEngine
internal import MartletProtocol

/// The contract once more, as naive as can be: every task in one dictionary, every question a walk over all of it.
///
/// It predicts every reply. What the contract leaves to the broker (a new id, a token, the jitter) it takes over from
/// the reply and checks: ids and tokens rise strictly, jitter stays in its range; what does not is a `complaint`.
/// A group that is given up is undone by copying the model back.
struct Model {
    var tasks: [TaskID: ModelTask] = [:]
    var totals: [Bytes: Totals] = [:]
    /// Contested hand-outs so far, per queue and priority, since the broker's start.
    var contested: [Lanes: Int64] = [:]
    /// Blocked callers, the longest waiting first.
    var calls: [WaitingCall] = []
    /// Callers whose blocked call was taken over, to be told so.
    var dismissed: [CallerID] = []
    /// Callers that wait for the end of tasks, the longest waiting first.
    var watches: [WaitingWatch] = []
    var workers: [Bytes: ModelWorker] = [:]
    /// How many names of workers were new.
    var metWorkers = 0
    var nonces: [Bytes: Remembered] = [:]
    /// The queues whose groups take turns now; when switching is done, is the engine's business.
    var fair: Set<Bytes> = []
    /// The last hand-out of each group that has waited for its next turn since.
    var served: [Ring: Turn] = [:]
    var limits: [Bytes: ModelLimit] = [:]
    var breakers: [Bytes: ModelBreaker] = [:]
    /// The phases of those that are no more, by name.
    var deletedPhases: [Bytes: [BreakerPhase]] = [:]
    /// The limits that tasks named together, as they were named first.
    var limitSets: [[Bytes]] = []
    var batches: [TaskID: ModelBatch] = [:]
    /// Tasks that followed a batch and have no id yet, and ids that were seen, by payload.
    var followers: [ModelFollower] = []
    var shownFollowers: [Bytes: [TaskID]] = [:]
    /// Who holds which UNIQUE key.
    var holds: [KeyName: KeyHold] = [:]
    var options: [Bytes: QueueOptions] = [:]
    var pauses: [Bytes: Pause] = [:]
    /// Queues that ever had MAXLEN, or were drained.
    var bounded: Set<Bytes> = []
    /// Who waits for a queue to be empty.
    var drains: [CallerID: ModelDrain] = [:]
    var operations: [UInt64: ModelOperation] = [:]
    /// What those are told who waited for an operation that is over now.
    var finished: [CallerID: Outcome] = [:]
    /// Who waits for a queue to be removed.
    var removals: [CallerID: RequestNonce?] = [:]
    /// The cron table, and its names in the order in which they were set first.
    var crons: [Bytes: ModelCron] = [:]
    var cronNames: [Bytes] = []
    /// The states each task came into, but for SCHEDULED and PENDING: when those are told depends on the bookkeeping.
    var moves: [TaskID: [TaskState]] = [:]
    /// Which queue each of them was in then.
    var homes: [TaskID: Bytes] = [:]
    /// Tasks of queues that were deleted: what happened to them last may not have been seen before.
    var goneWithQueue: Set<TaskID> = []
    /// Plain keys.
    var texts: [Bytes: ModelText] = [:]
    var newestID: TaskID?
    /// The ids of tasks that the engine added without telling.
    var offered: [TaskID] = []
    var newestToken: Int64 = 0
    var newestOperation: UInt64 = 0
    /// Everything due by then has happened.
    var settledTo: Timestamp?
    /// What the engine chose that it must not choose.
    var complaints: [String] = []

    /// What QUEUE.INFO counts since the queue's beginning.
    struct Totals {
        var added: Int64 = 0
        var completed: Int64 = 0
        var failed: Int64 = 0
    }

    /// Where fresh tasks and retries compete.
    struct Lanes: Hashable {
        var queue: Bytes
        var priority: Int
    }
}

extension Model {
    /// Runs one operation; `answer` is the engine's, for what the contract leaves open.
    mutating func apply(_ operation: MartletEngine.Operation, now: Timestamp, answer: Answer) -> Outcome {
        settle(now)
        switch operation {
        case .add(let request): return remembering(request.request, now) { $0.add(request, now, answer) }
        case .addMany(let request): return remembering(request.request, now) { $0.addMany(request, now, answer) }
        case .reserve(let request): return reserve(request, now, answer)
        case .acknowledge(let request): return acknowledge(request, now, answer)
        case .acknowledgeMany(let request):
            return remembering(request.request, now) { $0.acknowledgeMany(request, now) }
        case .fail(let request): return remembering(request.request, now) { $0.fail(request, now, answer) }
        case .release(let request): return remembering(request.request, now) { $0.release(request, now) }
        case .touch(let request): return remembering(request.request, now) { $0.touch(request, now) }
        case .cancel(let request): return remembering(request.request, now) { $0.cancel(request, now) }
        case .move(let request): return remembering(request.request, now) { $0.relocate(request, now) }
        case .delete(let request): return remembering(request.request, now) { $0.delete(request, now) }
        case .get(let request): return view(request, now)
        case .list(let request): return list(request, now)
        case .result(let id): return result(id)
        case .why(let id): return why(id, now)
        case .queueSet(let request): return remembering(request.request, now) { $0.set(request, now) }
        case .queuePause(let request): return remembering(request.request, now) { $0.pause(request, now) }
        case .queueResume(let request): return remembering(request.request, now) { $0.resume(request) }
        case .queueDrain(let request): return remembering(request.request, now) { $0.drain(request, now) }
        case .queueDelete(let request): return remembering(request.request, now) { $0.delete(request, now, answer) }
        case .queueOptions(let name): return queueOptions(name)
        case .retry(let request): return remembering(request.request, now) { $0.retry(request, now) }
        case .bulk(let request): return remembering(request.request, now) { $0.start(request, now) }
        case .stopOperation(let request): return remembering(request.request, now) { $0.stop(request, now) }
        case .operations: return .operations(operationList)
        case .deadKinds(let request): return deadKinds(request)
        case .queueInfo(let name): return queueInfo(name, now)
        case .queueList: return .queues(queueList(now))
        case .log(let request): return remembering(request.request, now) { $0.log(request, now) }
        case .logs(let request): return logs(request)
        case .wait(let request): return wait(request, now)
        case .hello(let request): return remembering(request.request, now) { $0.hello(request, now) }
        case .beat(let request): return remembering(request.request, now) { $0.beat(request, now) }
        case .order(let request): return remembering(request.request, now) { $0.order(request) }
        case .bye(let request): return remembering(request.request, now) { $0.bye(request.name) }
        case .workerInfo(let name): return workerInfo(name, now)
        case .workerList: return workerList(now)
        case .cronSet(let request): return remembering(request.request, now) { $0.setCron(request, now) }
        case .cron(let request): return remembering(request.request, now) { $0.cron(request, now, answer) }
        case .cronGet(let name, _): return cronView(name)
        case .cronList, .cronTimes: return cronList
        case .limitSet(let request): return remembering(request.request, now) { $0.set(request, now) }
        case .limitTake(let request): return take(request, now, answer)
        case .limitGive(let request): return remembering(request.request, now) { $0.give(request) }
        case .limitDelete(let request): return remembering(request.request, now) { $0.deleteLimit(request.name) }
        case .limitReset(let request): return remembering(request.request, now) { $0.resetLimit(request.name, now) }
        case .breakerSet(let request): return remembering(request.request, now) { $0.set(request, now) }
        case .breaker(let request): return remembering(request.request, now) { $0.breaker(request, now) }
        case .breakerInfo(let name): return breakerView(name, now)
        case .breakerList: return breakerViews(now)
        case .limitInfo(let name): return limitView(name, now)
        case .limitList: return limitViews(now)
        case .batchNew, .batch, .batchInfo: return batch(operation, now, answer)
        case .setText, .deleteTexts, .expireText, .flushTexts: return applyToText(operation, now)
        }
    }

    /// What a restart forgets: whatever lived in memory alone.
    mutating func restart() {
        contested = [:]
        calls = []
        dismissed = []
        watches = []
        workers = workers.mapValues { worker in
            var worker = worker
            // What was due but not done before the restart is counted after it.
            worker.uncertain += worker.counts.failed - worker.stored.failed
            worker.counts = worker.stored
            return worker
        }
        removals = [:]
        limits = limits.mapValues { $0.restarted }
        drains = [:]
        for number in operations.keys { operations[number]?.restart() }
    }

    /// The next instant at which something is to be done.
    var nextInstant: Timestamp? {
        let tasks = tasks.values.compactMap(\.nextInstant)
        let calls = calls.compactMap(\.deadline) + watches.compactMap(\.deadline) + drains.values.compactMap(\.deadline)
        let ends = pauses.values.flatMap { [$0.adding, $0.handingOut] }.filter { $0 != .max && $0 > settledTo ?? .min }
        let crons = crons.values.compactMap(\.view.nextRun)
        let limits = limits.values.compactMap(\.nextInstant)
        let cooled = breakers.values.compactMap { $0.cooledAt(settledTo ?? 0) }
        let batches = batches.values.compactMap { $0.over.map { $0 + Limits.batchKeep } }
        let texts = texts.values.compactMap(\.until)
        let held = holds.values.compactMap(\.until)
        return (texts + tasks + calls + crons + batches + held + ends + limits + cooled).min()
    }
}

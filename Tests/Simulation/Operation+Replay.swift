internal import MartletEngine
internal import MartletProtocol

extension MartletEngine.Operation {
    /// The nonce it carries.
    var request: RequestNonce? {
        switch self {
        case .add(let request): request.request
        case .addMany(let request): request.request
        case .reserve(let request): request.request
        case .acknowledge(let request): request.request
        case .acknowledgeMany(let request): request.request
        case .fail(let request): request.request
        case .release(let request): request.request
        case .touch(let request): request.request
        case .log(let request): request.request
        case .cancel(let request): request.request
        case .move(let request): request.request
        case .delete(let request): request.request
        case .queueSet(let request): request.request
        case .queuePause(let request): request.request
        case .queueDrain(let request): request.request
        case .queueResume(let request), .queueDelete(let request): request.request
        case .retry(let request): request.request
        case .hello(let request): request.request
        case .beat(let request): request.request
        case .order(let request): request.request
        case .bye(let request): request.request
        case .bulk(let request): request.request
        case .stopOperation(let request): request.request
        case .cronSet(let request): request.request
        case .cron(let request): request.request
        case .breakerSet(let request): request.request
        case .breaker(let request): request.request
        case .limitSet(let request): request.request
        case .limitTake(let request): request.request
        case .limitGive(let request): request.request
        case .batchNew(let request): request.request
        case .batch(let request): request.request
        case .limitDelete(let request), .limitReset(let request): request.request
        case .get, .list, .result, .why, .queueInfo, .queueOptions, .queueList, .deadKinds, .operations, .logs,
            .wait, .workerList,
            .workerInfo, .cronGet, .cronList, .cronTimes, .limitInfo, .limitList,
            .breakerInfo, .breakerList, .batchInfo, .setText, .deleteTexts, .expireText, .flushTexts:
            nil
        }
    }

    /// The same once more over another connection.
    func sentAgain(by caller: CallerID) -> Self {
        switch self {
        case .reserve(var request):
            request.caller = caller
            return .reserve(request)
        case .acknowledge(var request):
            request.next?.caller = caller
            return .acknowledge(request)
        case .limitTake(var request):
            request.caller = caller
            return .limitTake(request)
        case .bulk(var request):
            request.caller = caller
            return .bulk(request)
        case .queueDrain(var request):
            request.caller = caller
            return .queueDrain(request)
        case .queueDelete(var request):
            request.caller = caller
            return .queueDelete(request)
        default: return self
        }
    }
}

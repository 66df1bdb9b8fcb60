internal import MartletEngine
internal import MartletProtocol

/// What workers say of themselves, and what those send who only watch.
extension Generator {
    /// Logs, waits, and the registry of workers.
    mutating func watching(_ model: Model) -> MartletEngine.Operation {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<20: return .log(log(model))
        case 20..<30: return .logs(logs(model))
        case 30..<50: return .wait(wait(model))
        case 50..<62: return .hello(hello())
        case 62..<84: return .beat(beat(model))
        case 84..<90:
            return .order(
                OrderRequest(
                    worker: random.pick([nil] + Self.names), order: random.pick([.quiet, .quiet, .stop]),
                    request: nonce()))
        case 90..<92: return .bye(NameRequest(name: random.pick(Self.names), request: nonce()))
        case 92..<96: return .workerInfo(random.pick(Self.names))
        default: return .workerList
        }
    }

    private mutating func log(_ model: Model) -> LogRequest {
        let target = target(model)
        let lines = (0..<Int.random(in: 1...3, using: &random)).map { _ in bytes() }
        return LogRequest(id: target.id, token: target.token, lines: lines, request: nonce())
    }

    private mutating func logs(_ model: Model) -> LogsRequest {
        let logged = model.tasks.values.filter { !$0.log.isEmpty }.map(\.id).sorted()
        return LogsRequest(
            id: logged.randomElement(using: &random) ?? anyID(model), attempt: random.pick([nil, nil, 1, 2]),
            cursor: random.pick([0, 0, 1, 2, 3, 7]), count: random.pick([1, 2, 100]))
    }

    private mutating func wait(_ model: Model) -> WaitRequest {
        let ids = (0..<Int.random(in: 1...3, using: &random)).map { _ in
            anyID(model).map { Bytes($0.description.utf8) } ?? Bytes("no id".utf8)
        }
        return WaitRequest(
            ids: ids, block: block([.no, .upTo(0), .upTo(1), .upTo(30), .upTo(2_000)]), caller: newCaller())
    }

    private mutating func hello() -> HelloRequest {
        var hello = HelloRequest(worker: random.pick(Self.names))
        hello.host = random.pick([nil, Bytes("here".utf8)])
        hello.process = random.pick([nil, 0, 4_711])
        hello.slots = random.pick([nil, 8])
        hello.queues = random.pick([[], Self.queues])
        hello.library = random.chance(50) ? (Bytes("lib".utf8), Bytes("1.0".utf8)) : nil
        hello.request = nonce()
        return hello
    }

    /// Mostly its own leases; tokens that hold nothing, too.
    private mutating func beat(_ model: Model) -> BeatRequest {
        var beat = BeatRequest(worker: random.pick(Self.names))
        beat.residentBytes = random.pick([nil, 1 << 20])
        beat.busy = random.pick([nil, 0, 3])
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let target = target(model)
            if let id = target.id { beat.extend.append((id, target.token)) }
        }
        beat.request = nonce()
        return beat
    }
}

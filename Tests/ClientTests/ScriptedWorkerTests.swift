import Logging
import MartletClient
import Testing

/// Workers before a broker that gives orders at will.
@Suite(.timeLimit(.minutes(1)))
struct ScriptedWorkerTests {
    /// What a worker said until, and with, the first command of that name.
    private static func heard(
        _ script: OneTaskScript, until last: (_ heard: [[String]]) -> Bool, _ options: WorkerOptions = .init(),
        _ body: @escaping @Sendable (Twice.Payload, TaskContext) async throws -> Twice.Output
    ) async throws -> (commands: [[String]], exit: WorkerExit?) {
        let server = try await ScriptedServer { script.answer($0) }
        var handlers = TaskHandlers()
        handlers.register(Twice.self, body)
        var options = options
        options.slots = 1
        options.beat = .milliseconds(20)
        options.grace = .milliseconds(50)
        var logger = Logger(label: "quiet") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        let worker = Worker(
            server.configuration, queues: ["numbers"], handlers: handlers, options: options, logger: logger)
        let running = Task { try await worker.run() }
        var heard: [[String]] = []
        for await command in server.commands {
            heard.append(command)
            if last(heard) { break }
        }
        running.cancel()
        _ = await running.result
        return (heard, worker.exit)
    }

    private static func settles(_ heard: [[String]]) -> Bool {
        ["TASK.ACK", "TASK.FAIL", "TASK.RELEASE"].contains(heard.last?.first)
    }

    /// What came with TASK.LOG, without its REQ.
    private static func lines(_ heard: [[String]]) -> [String] {
        heard.filter { $0.first == "TASK.LOG" && $0.suffix(2).first == "REQ" }.flatMap { $0.dropFirst(3).dropLast(2) }
    }

    /// Waits to be cancelled.
    private static func untilCancelled() async {
        let cancelled = Gate()
        await withTaskCancellationHandler {
            await cancelled.wait()
        } onCancel: {
            cancelled.open()
        }
    }

    @Test func aWorkerIntroducesItselfAndExtendsWhatItHolds() async throws {
        let held = { (heard: [[String]]) in heard.contains { $0.first == "WORKER.BEAT" && $0.contains("EXTEND") } }
        let (heard, _) = try await Self.heard(OneTaskScript(), until: held) { payload, _ in
            await Self.untilCancelled()
            return .init(number: payload.number)
        }
        let hello = try #require(heard.first { $0.first == "WORKER.HELLO" })
        #expect(hello.contains("HOST") && hello.contains("PID"))
        let slots = try #require(hello.firstIndex(of: "SLOTS"))
        #expect(Array(hello[slots...].prefix(5)) == ["SLOTS", "1", "QUEUES", "1", "numbers"])
        let beat = try #require(heard.last)
        let extend = try #require(beat.firstIndex(of: "EXTEND"))
        #expect(Array(beat[extend...]) == ["EXTEND", "1", "\(ScriptedHandOut.id)", "9"])
        #expect(beat.contains("RSS") && beat[1] == hello[1])
    }

    @Test func aLostLeaseCancelsTheHandlerAndItsOutcomeIsDropped() async throws {
        let lost = OneTaskScript(beats: [ScriptedHandOut.orders(lost: [ScriptedHandOut.id])])
        let twice = { (heard: [[String]]) in heard.count { $0.first == "TASK.RESERVE" } == 2 }
        let seen = Seen<Interruption?>()
        let (heard, _) = try await Self.heard(lost, until: twice) { payload, context in
            await Self.untilCancelled()
            seen.add(context.interruption)
            return .init(number: payload.number)
        }
        #expect(!heard.contains { ["TASK.ACK", "TASK.FAIL", "TASK.RELEASE"].contains($0.first) })
        #expect(seen.all == [.leaseLost])
    }

    @Test func aCancelledTaskCancelsTheHandlerWhoseErrorIsTold() async throws {
        let script = OneTaskScript(beats: [ScriptedHandOut.orders(cancel: [ScriptedHandOut.id])])
        let seen = Seen<Interruption?>()
        let (heard, _) = try await Self.heard(script, until: Self.settles) { _, context in
            await Self.untilCancelled()
            seen.add(context.interruption)
            throw CancellationError()
        }
        #expect(heard.last?.first == "TASK.FAIL" && seen.all == [.taskCancelled])
    }

    @Test func aHandlerThatIgnoresItsCancellationIsLeftBehind() async throws {
        let script = OneTaskScript(beats: [ScriptedHandOut.orders(cancel: [ScriptedHandOut.id])])
        let never = Gate()
        var options = WorkerOptions()
        options.patience = .milliseconds(30)
        let (heard, _) = try await Self.heard(script, until: Self.settles, options) { payload, _ in
            await never.wait()
            return .init(number: payload.number)
        }
        #expect(heard.last?.first == "TASK.RELEASE")
        never.open()
    }

    @Test func aQuietWorkerTakesNothingUntilItIsToldToRun() async throws {
        let (quiet, run) = (ScriptedHandOut.orders("quiet"), ScriptedHandOut.orders())
        let script = OneTaskScript(beats: [quiet, quiet, quiet, quiet, run])
        let again = { (heard: [[String]]) in
            let beats = heard.count { $0.first == "WORKER.BEAT" }
            return beats >= 5 && heard.last?.first == "TASK.RESERVE"
        }
        let (heard, exit) = try await Self.heard(script, until: again) { payload, _ in
            .init(number: payload.number)
        }
        // Before the first order it may have reserved; while it rests it must not.
        let second = heard.indices.filter { heard[$0].first == "WORKER.BEAT" }[1]
        let fifth = heard.indices.filter { heard[$0].first == "WORKER.BEAT" }[4]
        #expect(!heard[second..<fifth].contains { $0.first == "TASK.RESERVE" })
        #expect(exit == .shutdown)
    }

    @Test func aWorkerThatIsToldToStopEnds() async throws {
        let server = try await ScriptedServer { words in
            words.first == "WORKER.BEAT"
                ? ScriptedHandOut.orders("stop") : words.first == "WORKER.HELLO" ? "+OK\r\n" : nil
        }
        let worker = Worker(server.configuration, queues: ["numbers"], handlers: TaskHandlers())
        try await worker.run()
        #expect(worker.exit == .stopped && worker.health.phase == .stopping)
    }

    @Test func logLinesGoToTheTaskBeforeItsOutcome() async throws {
        let seen = Seen<Logger.Metadata.Value?>()
        let (heard, _) = try await Self.heard(OneTaskScript(), until: Self.settles) { payload, context in
            for number in 0..<250 { context.logger.info("line \(number)", metadata: ["b": "2", "a": "1"]) }
            Logger.current.warning("two\nlines")
            context.logger.debug("not kept")
            seen.add(Logger.current[metadataKey: "task"])
            return .init(number: payload.number)
        }
        let lines = Self.lines(heard)
        #expect(heard.last?.first == "TASK.ACK")
        #expect(lines.count == 251)
        #expect(lines.first == "info line 0 a=1 b=2")
        #expect(lines.last == #"warning two\nlines"#)
        #expect(heard.count { $0.first == "TASK.LOG" } == 3)
        #expect(seen.all == ["\(ScriptedHandOut.id)"])
    }

    @Test func aLogPastItsBoundIsCutAndSaysSo() async throws {
        let (heard, _) = try await Self.heard(OneTaskScript(), until: Self.settles) { payload, context in
            let long = String(repeating: "x", count: 9_000)
            for _ in 0..<200 { context.logger.info("\(long)") }
            return .init(number: payload.number)
        }
        let lines = Self.lines(heard)
        let bytes = lines.map(\.utf8.count).reduce(0, +)
        #expect(bytes < 1024 * 1024 + 100)
        #expect(lines.last?.hasSuffix("more lines were dropped") == true)
        #expect(lines.first?.utf8.count == 8_192)
    }

    @Test func aKindInTheRetryTableSaysWhenToTryAgain() async throws {
        var options = WorkerOptions()
        options.retries = ["busy": .after([.seconds(7), .seconds(9)], jitter: 0), "poison": .dead]
        for (kind, word) in [("busy", "RETRY"), ("poison", "DEAD"), ("other", "REQ")] {
            let (heard, _) = try await Self.heard(OneTaskScript(), until: Self.settles, options) { _, _ in
                throw TaskFailure("no", kind: kind)
            }
            let fail = try #require(heard.last)
            #expect(fail.first == "TASK.FAIL" && fail[6] == word)
            if kind == "busy" { #expect(fail[7] == "7000") }
        }
    }

    @Test func middlewareStandsAroundHandlersTheFirstOutermost() async throws {
        let server = try await ScriptedServer { [script = OneTaskScript()] in script.answer($0) }
        let seen = Seen<String>()
        var handlers = TaskHandlers()
        handlers.use { payload, context, next in
            seen.add("outer in \(context.meta["from"] ?? "") \(context.tags)")
            defer { seen.add("outer out") }
            return try await next(payload, context)
        }
        handlers.use { payload, context, next in
            seen.add("inner in")
            return try await next(payload, context) + [UInt8(ascii: "!")]
        }
        handlers.register(type: "twice") { payload, _ in
            seen.add("handler")
            return [UInt8(ascii: "r")]
        }
        let worker = Worker(server.configuration, queues: ["numbers"], handlers: handlers)
        let running = Task { try await worker.run() }
        let ack = await server.next("TASK.ACK")
        running.cancel()
        _ = await running.result
        #expect(ack?.contains("r!") == true)
        #expect(seen.all == [#"outer in test ["red"]"#, "inner in", "handler", "outer out"])
    }
}

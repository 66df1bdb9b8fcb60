import Logging
import MartletProtocol
import NIOCore

/// Tells the broker that the worker lives, extends what it holds, and hears what it is to do: WORKER.HELLO, then a
/// WORKER.BEAT at every `WorkerOptions.beat`, sooner when the shortest lease in hand would not last until the third;
/// WORKER.BYE at the end.
///
/// The actor runs on the event loop of its link.
actor Heart {
    private let worker: Worker
    private let crew: Crew
    private let grace: GracePeriod
    private let link: Link
    private var isKnown = false
    private var alarm: (at: NIODeadline, task: Scheduled<Void>)?
    private var sleeper: CheckedContinuation<Void, Never>?
    private var isDone = false

    // Safe: the link keeps its loop alive, and with it the executor.
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe link.loop.executor.asUnownedSerialExecutor() }

    init(worker: Worker, crew: Crew, grace: GracePeriod, link: Link) {
        self.worker = worker
        self.crew = crew
        self.grace = grace
        self.link = link
    }

    /// Until `stop()`. The first beat comes with the greeting, so that a worker is told at once if it is to rest.
    func run() async {
        while !isDone {
            if !isKnown { await greet() }
            if isKnown { await beat() }
            await pause()
        }
    }

    /// So long the broker has for its answer to the farewell.
    private static let farewell = TimeAmount.seconds(1)

    /// Ends `run()`, and says goodbye: who has ended in order is not stale.
    func stop() async {
        isDone = true
        wake()
        guard isKnown else { return }
        // A broker that is away must not hold up the end. Awaited by nobody: the link is not needed any more.
        let alarm = link.loop.scheduleTask(in: Self.farewell) { [link] in _ = Task { await link.close() } }
        _ = try? await link.send(Commands.bye(worker.options.name))
        alarm.cancel()
    }

    /// A lease was taken: the next beat may have to come sooner.
    nonisolated func holds(_ lease: Lease) {
        let interval = Self.interval(for: lease)
        guard interval < TimeAmount(worker.options.beat) else { return }
        let time = NIODeadline.now() + interval
        link.loop.execute { self.assumeIsolated { $0.arm(at: time) } }
    }

    private func greet() async {
        do throws(MartletError) {
            _ = try await link.send(Commands.hello(worker.options, queues: worker.queues))
            isKnown = true
        } catch {
            worker.logger.warning("not greeted by the broker", metadata: ["error": "\(error)"])
        }
    }

    private func beat() async {
        let running = crew.running
        let command = Commands.beat(
            worker.options.name, resident: ProcessMemory.resident(), extending: running.map(\.lease))
        do throws(MartletError) {
            let orders = Orders(try await link.send(command))
            for task in orders.lost(of: running) { task.attempt.interrupt(.leaseLost) }
            for task in running where orders.cancelled.contains(task.lease.id) {
                task.attempt.interrupt(.taskCancelled)
            }
            obey(orders.state)
            worker.noteBeat()
        } catch {
            // A broker that does not know us is greeted again.
            if error.code == .error { isKnown = false }
            worker.logger.warning("no answer to a beat", metadata: ["error": "\(error)"])
        }
    }

    private func obey(_ order: Orders.State) {
        switch order {
        case .run: crew.setQuiet(false)
        case .quiet: crew.setQuiet(true)
        case .stop: grace.begin(.stopped)
        }
    }
}

// MARK: - The pause between beats

extension Heart {
    /// A third of the lease: two beats may be late before it is lost.
    private static func interval(for lease: Lease) -> TimeAmount { .milliseconds(max(lease.duration / 3, 20)) }

    private func pause() async {
        guard !isDone else { return }
        let shortest = crew.running.map { Self.interval(for: $0.lease) }.min()
        let interval = min(TimeAmount(worker.options.beat), shortest ?? .hours(1))
        arm(at: .now() + interval)
        await withCheckedContinuation { sleeper = $0 }
    }

    private func arm(at time: NIODeadline) {
        if let alarm {
            guard time < alarm.at else { return }
            alarm.task.cancel()
        }
        alarm = (time, link.loop.scheduleTask(deadline: time) { self.assumeIsolated { $0.wake() } })
    }

    private func wake() {
        alarm?.task.cancel()
        alarm = nil
        sleeper?.resume()
        sleeper = nil
    }
}

/// What the broker answers to a beat.
struct Orders: Sendable {
    enum State: String {
        case run, quiet, stop
    }

    var state: State
    /// Tasks somebody cancelled.
    var cancelled: Set<TaskID>
    /// How many leases of which tasks are not ours any more.
    private var lost: [TaskID: Int]

    init(_ reply: RESPValue) {
        state = reply["state"]?.text.flatMap { State(rawValue: $0) } ?? .run
        cancelled = Set(Self.ids(reply["cancel"]))
        lost = Self.ids(reply["lost"]).reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// Those of the running ones that are lost. A worker may hold a task twice, when it was handed out to it again:
    /// what it was given first it lost first.
    func lost(of running: [Crew.Running]) -> [Crew.Running] {
        var left = lost
        return running.sorted { $0.lease.token < $1.lease.token }.filter { task in
            guard let count = left[task.lease.id], count > 0 else { return false }
            left[task.lease.id] = count - 1
            return true
        }
    }

    private static func ids(_ value: RESPValue?) -> [TaskID] {
        (value?.elements ?? []).compactMap { $0.bytes.flatMap { TaskID($0) } }
    }
}

import Synchronization

/// The time between the order to stop and the end of patience.
final class GracePeriod: Sendable {
    private let crew: Crew
    private let length: Duration
    private let timer = Mutex<Task<Void, Never>?>(nil)

    init(crew: Crew, length: Duration) {
        self.crew = crew
        self.length = length
    }

    /// Stops the taking of tasks; when the time is over what still runs is given up. Only the first reason counts.
    func begin(_ reason: WorkerExit = .shutdown) {
        crew.stop(reason)
        let (crew, length) = (crew, length)
        timer.withLock { timer in
            guard timer == nil else { return }
            // Ended by `end()`, when there is nothing left to give up.
            timer = Task {
                do { try await Task.sleep(for: length) } catch { return }
                crew.abandonRunning()
            }
        }
    }

    func end() { timer.withLock { $0?.cancel() } }
}

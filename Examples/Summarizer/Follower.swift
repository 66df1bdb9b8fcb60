import Foundation
import MartletClient

/// Waits for many tasks at once, prints each summary when it is there, and counts how they ended.
actor Follower {
    /// How the tasks ended.
    struct Tally: CustomStringConvertible {
        var completed = 0
        /// Tasks that needed more than one attempt, however they ended.
        var retried = 0
        /// Dead letters.
        var dead = 0
        /// Tasks the broker does not know, or that ended in no way that was asked for.
        var lost = 0

        var description: String { "\(completed) completed, \(retried) retried, \(dead) dead, \(lost) lost" }
    }

    private enum End {
        case completed(Summarize.Output)
        case dead
        case lost
    }

    private let handles: [TaskHandle<Summarize.Output>]
    private var tally = Tally()
    private var bar: ProgressBar

    init(_ handles: [TaskHandle<Summarize.Output>]) {
        self.handles = handles
        bar = ProgressBar(total: handles.count)
    }

    /// Returns when all have ended. A broker that is away is waited for.
    func follow() async -> Tally {
        bar.draw(done: 0, tally)
        await withTaskGroup { group in
            for handle in handles {
                group.addTask { () -> (End, Int) in
                    let end = await Self.end(of: handle)
                    let attempts = (try? await handle.details())?.attempt ?? 0
                    return (end, attempts)
                }
            }
            for await (end, attempts) in group { count(end, attempts) }
        }
        bar.clear()
        return tally
    }

    private static func end(of handle: TaskHandle<Summarize.Output>) async -> End {
        while true {
            do throws(MartletError) {
                return .completed(try await handle.result())
            } catch .taskEnded(let task) where task.state == .dead {
                return .dead
            } catch .timedOut {
                continue
            } catch {
                return .lost
            }
        }
    }

    private func count(_ end: End, _ attempts: Int) {
        if attempts > 1 { tally.retried += 1 }
        switch end {
        case .completed(let output):
            tally.completed += 1
            bar.clear()
            show(output)
        case .dead: tally.dead += 1
        case .lost: tally.lost += 1
        }
        bar.draw(done: tally.completed + tally.dead + tally.lost, tally)
    }

    private func show(_ output: Summarize.Output) {
        print("\(output.title) (\(output.words) words)")
        for sentence in output.sentences { print("  \(sentence)") }
        fflush(nil)
    }
}

/// A line on the terminal that shows how far the work is; nothing when standard error is no terminal.
struct ProgressBar {
    private let total: Int
    private let visible = isatty(STDERR_FILENO) == 1

    init(total: Int) { self.total = max(total, 1) }

    func draw(done: Int, _ tally: Follower.Tally) {
        guard visible else { return }
        let filled = min(done * 30 / total, 30)
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 30 - filled)
        write("\r\u{1B}[K[\(bar)] \(done)/\(total)  \(tally)")
    }

    func clear() {
        guard visible else { return }
        write("\r\u{1B}[K")
    }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

import Glibc
import Synchronization

/// The terminal behind standard output.
enum Terminal {
    static var isThere: Bool { isatty(STDOUT_FILENO) == 1 && isatty(STDIN_FILENO) == 1 }

    /// Columns; without a terminal, as many as it takes.
    static var width: Int { isatty(STDOUT_FILENO) == 1 ? size.columns : .max }

    static var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }
}

/// A whole screen that is drawn again and again, and the keys pressed meanwhile. What was on the terminal before comes
/// back at the end, however that comes about.
struct Screen: ~Copyable {
    enum Event {
        case key(UInt8)
        case resized
        case timeout
        case stopped
    }

    private var before = termios()
    /// The two ends of a pipe.
    private var wakeups: Int32 = -1
    private var wakeupEnd: Int32 = -1

    init() {
        unsafe tcgetattr(STDIN_FILENO, &before)
        var raw = before
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        unsafe tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        // A signal may come on any thread: a byte in a pipe ends the wait of the one that draws.
        var ends: [Int32] = [0, 0]
        if unsafe pipe(&ends) == 0 { (wakeups, wakeupEnd) = (ends[0], ends[1]) }
        wakeup.store(wakeupEnd, ordering: .relaxed)
        signal(SIGWINCH) { _ in wake() }
        for number in [SIGTERM, SIGINT, SIGHUP] {
            signal(number) { _ in
                isStopRequested.store(true, ordering: .relaxed)
                wake()
            }
        }
        writeText("\u{1B}[?1049h\u{1B}[?25l", to: STDOUT_FILENO)
    }

    deinit {
        writeText("\u{1B}[?25h\u{1B}[?1049l", to: STDOUT_FILENO)
        var saved = before
        unsafe tcsetattr(STDIN_FILENO, TCSANOW, &saved)
        wakeup.store(-1, ordering: .relaxed)
        close(wakeups)
        close(wakeupEnd)
    }

    /// Draws lines, cut to what fits.
    func draw(_ lines: [String]) {
        let (columns, rows) = Terminal.size
        var frame = "\u{1B}[H"
        for (index, line) in lines.prefix(rows).enumerated() {
            frame += (index > 0 ? "\r\n" : "") + line.prefix(columns) + "\u{1B}[K"
        }
        writeText(frame + "\u{1B}[J", to: STDOUT_FILENO)
    }

    /// Waits for something to happen, at most so long.
    func wait(milliseconds: Int32) -> Event {
        if isStopRequested.load(ordering: .relaxed) { return .stopped }
        var descriptors = [STDIN_FILENO, wakeups].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let ready = unsafe poll(&descriptors, 2, milliseconds)
        if isStopRequested.load(ordering: .relaxed) { return .stopped }
        guard ready != 0 else { return .timeout }
        var byte: UInt8 = 0
        if descriptors[0].revents != 0 {
            return unsafe read(STDIN_FILENO, &byte, 1) == 1 ? .key(byte) : .stopped
        }
        if descriptors[1].revents != 0 { _ = unsafe read(wakeups, &byte, 1) }
        return .resized
    }
}

/// Ends a wait; all a signal handler does.
private func wake() {
    var byte: UInt8 = 0
    _ = unsafe write(wakeup.load(ordering: .relaxed), &byte, 1)
}

private let wakeup = Atomic<Int32>(-1)
/// Set by signal handlers, which may do little else.
private let isStopRequested = Atomic(false)

import MartletProtocol
import NIOCore

/// MONITOR and SLOWLOG: what is run, shown to those who watch. Neither holds anybody up.
extension Broker {
    /// A command was run since `group.mark`: it is shown to monitors, and remembered if it took long.
    func observe(_ call: Call, _ connection: Connection) {
        let now = BrokerClock.bootMicroseconds()
        let took = now - group.mark
        group.mark = now
        if took >= SlowLog.threshold {
            slowLog.add(took, ShownArguments.of(call.cursor.request, call.command), connection, at: clock.now)
        }
        if !monitors.isEmpty { monitor(call, connection) }
    }

    func monitor(_ call: Call, _ connection: Connection) {
        // As Redis has it.
        guard !call.command.flags.contains(.admin) else { return }
        guard monitored.readableBytes < MonitorLimits.round else { return monitoredSkips += 1 }
        let fraction = String(clock.microseconds % 1_000_000 + 1_000_000).dropFirst()
        monitored.writeString("+\(clock.microseconds / 1_000_000).\(fraction) [0 \(connection.address)]")
        for argument in ShownArguments.of(call.cursor.request, call.command) {
            monitored.writeString(" ")
            monitored.writeQuoted(argument)
        }
        monitored.writeString("\r\n")
    }

    /// What the round ran goes to the monitors; one that reads too slowly misses it, and is told so.
    func showMonitored() {
        defer {
            monitored.clear()
            monitoredSkips = 0
        }
        guard monitored.readableBytes > 0 || monitoredSkips > 0 else { return }
        for connection in monitors.values where !connection.isClosing {
            guard connection.outstanding <= MonitorLimits.unread else {
                connection.missesCommands = true
                continue
            }
            begin(connection)
            if connection.missesCommands || monitoredSkips > 0 {
                connection.output.simple(
                    "(commands are missing here: there were too many, or they were read too slowly)")
                connection.missesCommands = false
            }
            connection.output.bytes += monitored.readableBytesView
        }
    }
}

/// How much is shown to monitors.
enum MonitorLimits {
    /// Bytes of one round; more is left out.
    static let round = 256 * 1024
    /// Unread bytes of a monitor, past which it misses what is run.
    static let unread = 1024 * 1024
}

extension ByteBuffer {
    /// Text in double quotes, as Redis writes it: what is not printable is escaped.
    mutating func writeQuoted(_ bytes: Bytes) {
        writeString("\"")
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): writeBytes([UInt8(ascii: "\\"), byte])
            case 0x0A: writeString("\\n")
            case 0x0D: writeString("\\r")
            case 0x09: writeString("\\t")
            case 0x20..<0x7F: writeInteger(byte)
            default:
                let digits = String(byte, radix: 16)
                writeString(digits.utf8.count == 1 ? "\\x0\(digits)" : "\\x\(digits)")
            }
        }
        writeString("\"")
    }
}

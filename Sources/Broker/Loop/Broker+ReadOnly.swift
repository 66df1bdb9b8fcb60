import Logging
import MartletEngine

/// BROKER.READONLY: nothing is changed, by nobody, until it is off again.
extension Broker {
    func setReadOnly(_ isOn: Bool) {
        guard gate.isReadOnlyByOrder != isOn else { return }
        gate.isReadOnlyByOrder = isOn
        logger.notice(isOn ? "an operator stopped all changes" : "an operator lets changes happen again")
        // What became due meanwhile happens now.
        if isOn { engineInstant = nil } else { scheduleUpkeep() }
    }
}

import MartletBench
import Testing

@Suite(.timeLimit(.minutes(1)))
struct LatencyHistogramTests {
    @Test(arguments: [0.5, 0.9, 0.99, 0.999])
    func percentilesAreAtMostASixtyFourthTooHigh(_ share: Double) {
        var histogram = LatencyHistogram()
        for value in 1...100_000 { histogram.record(Int64(value * 37)) }
        let exact = share * 100_000 * 37
        let found = Double(histogram.percentile(share))
        #expect(found >= exact * 0.9999)
        #expect(found <= exact * (1 + 1.0 / 64))
    }

    @Test(arguments: [0, 1, 63, 64, 127, 128, 129, 1_000_003, 1 << 40, Int64.max])
    func aSingleValueIsEveryPercentile(_ value: Int64) {
        var histogram = LatencyHistogram()
        histogram.record(value)
        #expect(histogram.percentile(0.001) <= value)
        #expect(histogram.percentile(1) <= value)
        #expect(histogram.largest == value)
    }

    @Test
    func anEmptyHistogramSaysZero() {
        #expect(LatencyHistogram().percentile(0.99) == 0)
    }
}

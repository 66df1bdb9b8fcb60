import MartletBench
import Testing

@Suite(.timeLimit(.minutes(1)))
struct BenchPlanTests {
    @Test
    func theDefaultPlanCanBeRun() {
        #expect(BenchPlan().problem() == nil)
    }

    @Test
    func numbersPastTheirBoundAreRefused() {
        var plan = BenchPlan()
        plan.payload = BenchPlan.smallestPayload - 1
        #expect(plan.problem()?.hasPrefix("payload 11") == true)
        plan.payload = BenchPlan.smallestPayload
        #expect(plan.problem() == nil)
        plan.pipeline = BenchPlan.limits.pipeline + 1
        #expect(plan.problem()?.hasPrefix("pipeline") == true)
    }

    @Test
    func whatOnlyMartletCanDoIsRefusedForOthers() {
        var plan = BenchPlan()
        plan.peer = .redisLua
        plan.nonces = true
        #expect(plan.problem() != nil)
        plan.nonces = false
        plan.mode = .cycleNext
        #expect(plan.problem() != nil)
    }

    @Test
    func aServerThatIsNotThereIsSaid() async throws {
        var plan = BenchPlan()
        plan.port = 1
        await #expect(throws: BenchError.self) { _ = try await LoadGenerator.run(plan) }
    }
}

/** The judge, simulated: the product's own rooms, with answers that take their time but keep each job's order. */

import type { Host, Workload } from "../../kernels/contract.ts";
import type { CoreEvent, JudgeRequest } from "../../server/core/events.ts";
import { type ToyPayload, toyHost, toyHostWithCheck, toyWorkload } from "../../server/core/fixtures.ts";
import type { Job } from "../../server/core/state.ts";
import { JudgeRoom } from "../../server/judge/room.ts";
import type { World } from "./world.ts";

export class SimJudge {
  readonly #rooms = new Map<string, { round: number; room: JudgeRoom; answeredAt: number }>();

  constructor(
    private readonly world: World,
    private readonly jobOf: (id: string) => Job | undefined,
    private readonly answer: (event: CoreEvent) => void,
  ) {}

  get rooms(): number {
    return this.#rooms.size;
  }

  request(request: JudgeRequest): void {
    if (request.type === "forget") {
      this.#rooms.delete(request.job);
      return;
    }
    const room = this.#roomFor(request);
    if (!room) return;
    const answer = room.room.work(request);
    if (!answer) return;
    if (answer instanceof Promise) throw new Error("no workload of the simulator makes files");
    room.answeredAt = Math.max(this.world.timeline.now + this.world.random.log(1, 200), room.answeredAt);
    this.world.timeline.at(room.answeredAt, () => {
      if (answer.type === "finished") {
        this.answer({ ...answer, outputBlob: null });
      } else if (answer.type === "next") {
        this.answer({ ...answer, input: null });
      } else this.answer(answer);
    });
  }

  #roomFor(request: Exclude<JudgeRequest, { type: "forget" }>) {
    const known = this.#rooms.get(request.job);
    const round = "round" in request ? request.round : known?.round;
    if (known && known.round === round) return known;
    const job = this.jobOf(request.job);
    if (!job) return null;
    const { workload, payload, tasks, grainTasks } = job;
    const open = { type: "open" as const, job: job.id, workload: workload.type, workloadModule: "", hostModule: "" };
    const host = (job.hasCheck ? toyHostWithCheck : toyHost) as Host;
    const opened = {
      round: job.round,
      room: new JudgeRoom(
        { ...open, payload: payload as ToyPayload, round: job.round, tasks, grainTasks },
        toyWorkload as Workload,
        host,
      ),
      answeredAt: known?.answeredAt ?? 0,
    };
    this.#rooms.set(request.job, opened);
    return opened;
  }
}

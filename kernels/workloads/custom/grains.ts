/** How a job is cut: into grains of about a second, by what a task took where the code was tried. */
import { leasedBytesOf, tasksOf } from "./inputs.ts";
import { type CustomPayload, grainTasksMax } from "./payload.ts";

/** A grain is about a second of one core. */
const grainMs = 1_000;
const grainsMax = 2 ** 20;
/** A short job is cut into this many grains all the same, so that several nodes can share it. */
const grainsOfShortJob = 16;
/** Of code that was not tried: the example in kernel.as.ts. */
const exampleTaskMs = 10;

export const taskMsOf = ({ admitted }: CustomPayload): number => Math.max(0.001, admitted?.task_ms ?? exampleTaskMs);

/** Of what one grain is given: a frame holds it. */
const grainBytesMax = 3 << 20;

export function grainTasksOf(payload: CustomPayload): number {
  const bytes = leasedBytesOf(payload);
  const most = bytes === null ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(grainBytesMax / bytes));
  return Math.min(most, plainGrainTasksOf(payload));
}

function plainGrainTasksOf(payload: CustomPayload): number {
  const tasks = tasksOf(payload);
  if (payload.tasks_per_grain !== undefined) return Math.max(payload.tasks_per_grain, Math.ceil(tasks / grainsMax));
  const second = Math.max(1, Math.round(grainMs / taskMsOf(payload)));
  const share = Math.ceil(tasks / grainsOfShortJob);
  return Math.max(1, Math.ceil(tasks / grainsMax), Math.min(second, share, grainTasksMax(payload)));
}

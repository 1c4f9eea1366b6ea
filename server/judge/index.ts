export { JudgePool, type JudgePort } from "./judge.ts";
export type { JudgeAnswer, JudgeOpen } from "./messages.ts";

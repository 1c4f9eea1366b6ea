/** Names of workloads, the same wherever a page names one. */
import type { WorkloadType } from "../../protocol/rest.ts";
import { humanise } from "./format.ts";

export type TitleOf = (workload: string) => string;

/** A workload that the coordinator does not offer any more, or whose list has not come yet, goes by its wire name. */
export function titlesOf(types: readonly Pick<WorkloadType, "type" | "title">[]): TitleOf {
  const titles = new Map(types.map(({ type, title }) => [type, title]));
  return (workload) => titles.get(workload) ?? sentenceCase(humanise(workload));
}

const sentenceCase = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What a job's label says, for people: the coordinator labels the jobs that it makes itself. */
export function labelWords(label: string): string {
  return label === "demo"
    ? "Demo: the coordinator's own, so that a tab never meets an idle grid. It gives way to every other job."
    : `Labelled “${label}” by the coordinator.`;
}

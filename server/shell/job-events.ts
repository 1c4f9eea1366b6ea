/** A job's events, whether it is open, ended lately, is just being recorded as ended, or is known to the record alone. */
import type { JobView } from "../../protocol/rest.ts";
import { isFinal, type NumberedJobEvent, type Unsubscribe } from "../transport/grid.ts";
import type { Feed } from "./feed.ts";

export interface JobViews {
  /** Of a job that is open or ended lately; null for one whose end is being recorded, and for one of long ago. */
  present(id: string): JobView | null;
  recorded(id: string): Promise<JobView | null>;
}

/** As `Grid.subscribeJob`. */
export function subscribeToJob(
  feed: Pick<Feed, "subscribeJob">,
  views: JobViews,
  id: string,
  after: number | null,
  listener: (event: NumberedJobEvent) => void,
): Unsubscribe {
  const present = views.present(id);
  let leave = feed.subscribeJob(id, after, present, listener);
  if (present) return leave;
  let isOver = false;
  // An end that is being recorded will be told; one of long ago is in the record.
  const tell = (view: JobView | null): void => {
    if (isOver || !view || !isFinal(view.status)) return;
    leave();
    leave = feed.subscribeJob(id, after, view, listener);
  };
  views.recorded(id).then(tell, () => {});
  return () => {
    isOver = true;
    leave();
  };
}

/** What the page asks of the agent's worker. */
import type { Choices, PageView } from "./view.ts";
import type { WorkerMaker } from "./worker-roles.ts";

export interface StartOptions {
  choices: Choices;
  /** Test switch: a software adapter counts as a GPU. */
  allowSoftwareGpu: boolean;
  /** Test switch: as in browsers whose workers cannot start workers. */
  pageMadeWorkers: boolean;
  /** WebSocket address of the coordinator. */
  socketUrl: string;
  /** The last run of this tab ended while it computed, without a word: the coordinator is told. */
  crashed: boolean;
}

export interface AgentApi {
  /** Joins the grid; `onView` is called a few times a second until `stop` has resolved. */
  start(options: StartOptions, onView: (view: PageView) => void, maker: WorkerMaker): Promise<void>;
  setChoices(choices: Choices): Promise<void>;
  /** Hands back what is unfinished and closes the connection. */
  stop(): Promise<void>;
}

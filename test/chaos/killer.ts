/** Kills programs at random instants, each with work in flight, and starts them again. */
import type { NetworkStatus } from "../../protocol/rest.ts";
import type { Client, JobBody } from "./client.ts";
import { type CoordinatorProgram, type Program, sleep, until } from "./processes.ts";

export interface Kill {
  victim: string;
  /** What was in flight: leases of the victim (of all nodes, where it is the coordinator), and submissions. */
  leases: number;
  submissions: number;
}

export interface KillerOptions {
  coordinator: CoordinatorProgram;
  workers: readonly Program[];
  client: Client;
  random(): number;
  /** A small job that is being submitted when the coordinator dies, every other time. */
  job(): JobBody;
}

const flightMsMax = 60_000;

export class Killer {
  readonly kills: Kill[] = [];
  /** Submissions that a kill of the coordinator interrupted; they go on. */
  readonly submissions: Promise<unknown>[] = [];
  readonly #back = new Set<Promise<void>>();

  constructor(private readonly options: KillerOptions) {}

  /** One more kill, or two at the same moment. */
  async strike(): Promise<void> {
    const { random } = this.options;
    await sleep(random() * 400);
    if (random() < 0.3) await this.#killCoordinator();
    else await this.#killWorkers(random() < 0.2 ? 2 : 1);
  }

  /** Resolves when everything that was killed runs again. */
  async settled(): Promise<void> {
    await Promise.all(this.#back);
  }

  async #killCoordinator(): Promise<void> {
    const { coordinator, client, random, job } = this.options;
    await this.settled();
    const status = await this.#inFlight((candidate) => candidate.scheduler.leased_slices > 0);
    if (random() < 0.5) {
      this.submissions.push(client.submit(job()));
      await sleep(random() * 15);
    } else {
      await sleep(random() * 50);
    }
    const { leased_slices: leases } = status.scheduler;
    this.kills.push({ victim: coordinator.name, leases, submissions: client.pending });
    await coordinator.kill();
    const others = random() < 0.3 ? this.#busy(status).slice(0, 1) : [];
    for (const worker of others) {
      await sleep(random() * 300);
      await this.#killWorker(worker, status);
    }
    this.#restart(async () => {
      await sleep(random() * 200);
      await coordinator.start();
    });
  }

  async #killWorkers(count: number): Promise<void> {
    if (!this.options.coordinator.isUp) await this.settled();
    const status = await this.#inFlight((candidate) => this.#busy(candidate).length > 0);
    const busy = this.#busy(status);
    const first = Math.floor(this.options.random() * busy.length);
    const victims = [...busy.slice(first), ...busy.slice(0, first)].slice(0, count);
    await Promise.all(victims.map((victim) => this.#killWorker(victim, status)));
  }

  async #killWorker(worker: Program, status: NetworkStatus): Promise<void> {
    const leases = leasesOf(status, worker.name);
    this.kills.push({ victim: worker.name, leases, submissions: this.options.client.pending });
    await worker.kill();
    const pauseMs = this.options.random() * 500;
    this.#restart(async () => {
      await sleep(pauseMs);
      worker.spawn();
    });
  }

  /** Running workers that hold leases. */
  #busy(status: NetworkStatus): Program[] {
    return this.options.workers.filter((worker) => worker.isUp && leasesOf(status, worker.name) > 0);
  }

  #inFlight(is: (status: NetworkStatus) => boolean): Promise<NetworkStatus> {
    let last: NetworkStatus | null = null;
    return until(
      async () => {
        last = await this.options.client.status();
        return last !== null && is(last) ? last : null;
      },
      flightMsMax,
      () => `nothing is in flight: ${JSON.stringify(last)}`,
    );
  }

  #restart(restart: () => Promise<void>): void {
    const back = restart().finally(() => this.#back.delete(back));
    // Whoever awaits `settled` hears of a failure.
    back.catch(() => {});
    this.#back.add(back);
  }
}

const leasesOf = (status: NetworkStatus, name: string): number =>
  status.nodes.filter((node) => node.name === name && node.online).reduce((sum, node) => sum + node.leases.length, 0);

/**
 * Docker, on this machine or another (DOCKER_HOST): a container for each worker. One that was ended stays, stopped, for a
 * day, so that its name is taken: an order that comes again starts nothing anew.
 */
import type Dockerode from "dockerode";
import { containerCommand, imageDefault, type Size, sizesOf } from "../container.ts";
import { instanceName, launchEach, terminateEach, unless } from "../each.ts";
import {
  CloudError,
  type CloudErrorCode,
  type CloudInstance,
  type CloudProvider,
  type LaunchOrder,
  type LaunchReply,
  type Offering,
  offeringId,
  type TerminateReply,
  tagsOf,
} from "../provider.ts";

export interface DockerOptions {
  docker: Dockerode;
  image: string;
  sizes: readonly Size[];
  /** As `docker run --network`; Docker's default where it is null. */
  network: string | null;
}

const sizeDefault = "1x1024";
const keptMs = 24 * 3_600_000;
const bootMs = 4_000;
/** Time to hand leases back before a worker is killed. */
const stopSeconds = 5;

/** From QUEZTL_DOCKER_IMAGE, QUEZTL_DOCKER_SIZES and QUEZTL_DOCKER_NETWORK. Throws Error with the remedy. */
export function dockerOptions(env: Readonly<Record<string, string | undefined>>): Omit<DockerOptions, "docker"> {
  return {
    image: env.QUEZTL_DOCKER_IMAGE || imageDefault,
    sizes: sizesOf(env.QUEZTL_DOCKER_SIZES || sizeDefault, "QUEZTL_DOCKER_SIZES"),
    network: env.QUEZTL_DOCKER_NETWORK || null,
  };
}

export class DockerProvider implements CloudProvider {
  readonly name = "docker";
  readonly priced = false;
  #pulled: Promise<void> | null = null;

  constructor(private readonly options: DockerOptions) {}

  async offerings(): Promise<readonly Offering[]> {
    // Whether there is an engine at all.
    await this.#ask(() => this.options.docker.ping());
    return this.options.sizes.map(offeringOf);
  }

  async launch(order: LaunchOrder): Promise<LaunchReply> {
    const size = this.options.sizes.find(({ name }) => order.offerings.some(({ type }) => type === name));
    if (!size) throw new CloudError("invalid", `${order.offerings[0]?.type} is not in QUEZTL_DOCKER_SIZES.`);
    await this.#image();
    return launchEach(order, idOf(size), (at) => this.#start(order, at, size), cloudError);
  }

  async list(cluster: string): Promise<readonly CloudInstance[]> {
    const all = await this.#ask(() =>
      this.options.docker.listContainers({ all: true, filters: { label: [`queztl-cluster=${cluster}`] } }),
    );
    const listed = all.map(listedOf);
    for (const { id, state, launchedAtMs } of listed) {
      if (state === "gone" && Date.now() - launchedAtMs > keptMs) await this.#remove(id);
    }
    return listed;
  }

  async terminate(ids: readonly string[]): Promise<TerminateReply> {
    const { docker } = this.options;
    const stop = (id: string): Promise<void> => docker.getContainer(id).stop({ t: stopSeconds });
    // 304: it has ended; 404: it is gone.
    return terminateEach(
      ids,
      (id) => unless(stop(id), (error) => [304, 404].includes(statusOf(error) ?? 0)),
      cloudError,
    );
  }

  async close(): Promise<void> {}

  /** Of a container that is there already its id: it is not started again once it has ended. */
  async #start(order: LaunchOrder, at: number, { name: size, cores, memoryBytes }: Size): Promise<string> {
    const { docker, image, network } = this.options;
    const name = instanceName(order, at);
    try {
      const container = await docker.createContainer({
        name,
        Image: image,
        Cmd: containerCommand(order.boot, name),
        Env: [`QUEZTL_JOIN_TOKEN=${order.boot.joinToken}:${name}`, "QUEZTL_MODE=worker"],
        Labels: { ...tagsOf(order), "queztl-size": size },
        HostConfig: {
          NanoCpus: Math.round(cores * 1e9),
          Memory: memoryBytes,
          PidsLimit: 512,
          CapDrop: ["ALL"],
          SecurityOpt: ["no-new-privileges"],
          // The coordinator may be on the machine itself.
          ExtraHosts: ["host.docker.internal:host-gateway"],
          ...(network === null ? {} : { NetworkMode: network }),
        },
      });
      await container.start();
    } catch (error) {
      if (statusOf(error) !== 409) throw error;
      // Another call of this order may have made it a moment ago, and starts it.
      const { State: state } = await docker.getContainer(name).inspect();
      if (state.Status === "created") await docker.getContainer(name).start();
    }
    return name;
  }

  /** Pulled once, where it is not there. */
  #image(): Promise<void> {
    this.#pulled ??= this.#pull().catch((error) => {
      this.#pulled = null;
      throw cloudError(error);
    });
    return this.#pulled;
  }

  async #pull(): Promise<void> {
    const { docker, image } = this.options;
    try {
      await docker.getImage(image).inspect();
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      const progress = await docker.pull(image);
      await new Promise<void>((resolve, reject) =>
        docker.modem.followProgress(progress, (fault) => (fault ? reject(fault) : resolve())),
      );
    }
  }

  async #remove(name: string): Promise<void> {
    await this.options.docker
      .getContainer(name)
      .remove()
      .catch(() => {});
  }

  async #ask<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw cloudError(error);
    }
  }
}

const idOf = ({ name }: Size): string => offeringId("on_demand", name, "docker");

function offeringOf(size: Size): Offering {
  return {
    id: idOf(size),
    type: size.name,
    region: "docker",
    zone: null,
    market: "on_demand",
    cores: size.cores,
    memoryBytes: size.memoryBytes,
    gpu: null,
    engines: [],
    price: { dollarsPerHour: 0, source: "your own machine", asOfMs: Date.now() },
    bootMs,
    interruptionsPerHour: 0,
  };
}

const states: Readonly<Record<string, CloudInstance["state"]>> = {
  created: "starting",
  running: "running",
  restarting: "running",
  paused: "running",
  removing: "ending",
  exited: "gone",
  dead: "gone",
};

function listedOf({ Names, State, Labels, Created }: Dockerode.ContainerInfo): CloudInstance {
  const size = Labels["queztl-size"];
  return {
    id: (Names[0] ?? "").replace(/^\//, ""),
    token: Labels["queztl-order"] ?? null,
    offering: size === undefined ? null : offeringId("on_demand", size, "docker"),
    state: states[State] ?? "running",
    launchedAtMs: Created * 1000,
    interruptionAtMs: null,
  };
}

const statusOf = (error: unknown): number | undefined => (error as { statusCode?: number }).statusCode;

/** What the engine says, in the port's own words. */
export function cloudError(error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const { message = String(error), code } = error as Error & { code?: string };
  const status = statusOf(error);
  const told = (found: CloudErrorCode, text = message): CloudError =>
    new CloudError(found, text.slice(0, 500), null, { cause: error });
  if (code === "ECONNREFUSED" || code === "ENOENT" || code === "ENOTFOUND")
    return told("unavailable", `There is no Docker engine (${code}): start it, or set DOCKER_HOST.`);
  if (code === "EACCES") return told("unauthorized", "This user may not use Docker: add it to the group docker.");
  if (status === undefined) return told("unknown");
  if (status === 401 || status === 403) return told("unauthorized");
  if (/no space|memory|cpu/i.test(message) && status >= 500) return told("capacity");
  if (status >= 500) return told("unavailable");
  return told("invalid");
}

/**
 * Google Compute Engine. An order's instances have names that follow from it, so that the same order finds the same ones; one
 * that was ended is known by the deletion that its zone remembers. Credentials are looked up by Google's own library
 * (GOOGLE_APPLICATION_CREDENTIALS, gcloud's, the machine's own), and are never given to an instance.
 */
import { createHash } from "node:crypto";
import { instanceName, launchEach, terminateEach } from "../each.ts";
import {
  CloudError,
  type CloudInstance,
  type CloudProvider,
  type LaunchOrder,
  type LaunchReply,
  type Market,
  type Offering,
  offeringId,
  type Price,
  type TerminateReply,
  tagsOf,
} from "../provider.ts";
import { gceMetadata, startupScript } from "../startup.ts";
import { cloudError, statusOf } from "./errors.ts";
import type { GcpClients, Instance, MachineType } from "./library.ts";
import type { GcpPrices } from "./prices.ts";

/** A machine type, and what an hour of it costs; null where Google's price list is to be asked. */
export interface GcpType {
  type: string;
  named: { onDemand: number | null; spot: number | null } | null;
}

export interface GcpOptions {
  project: string;
  zones: readonly string[];
  types: readonly GcpType[];
  image: string;
  network: string;
  /** Google's price list. */
  prices(): Promise<GcpPrices>;
  now(): number;
}

const typesDefault = "e2-standard-2,e2-standard-4";
const zoneDefault = "us-central1-a";
const imageDefault = "projects/debian-cloud/global/images/family/debian-12";
const networkDefault = "global/networks/default";
const bootMs = 60_000;
const machineMs = 24 * 3_600_000;
/** Published nowhere by zone: a middling figure until own experience says more. */
const interruptionsPerHour = 0.1 / 24;

/**
 * From GCP_PROJECT, QUEZTL_GCP_ZONES, QUEZTL_GCP_TYPES (as "e2-standard-4", or with dollars an hour on demand and as spot
 * "e2-standard-4=0.134/0.040"), QUEZTL_GCP_IMAGE, QUEZTL_GCP_NETWORK. Throws Error with the remedy.
 */
export function gcpOptions(
  env: Readonly<Record<string, string | undefined>>,
  prices: () => Promise<GcpPrices>,
): GcpOptions {
  const list = (text: string | undefined): string[] =>
    (text ?? "")
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== "");
  const project = env.GCP_PROJECT || env.GOOGLE_CLOUD_PROJECT;
  if (!project) throw new Error("No project is named: set GCP_PROJECT.");
  const types = list(env.QUEZTL_GCP_TYPES || typesDefault).map(typeOf);
  const zones = list(env.QUEZTL_GCP_ZONES);
  return {
    project,
    zones: zones.length > 0 ? zones : [zoneDefault],
    types,
    image: env.QUEZTL_GCP_IMAGE || imageDefault,
    network: env.QUEZTL_GCP_NETWORK || networkDefault,
    prices,
    now: Date.now,
  };
}

function typeOf(text: string): GcpType {
  const [, type, prices, onDemand, spot] = /^([a-z][a-z0-9-]*)(=([\d.]*)(?:\/([\d.]+))?)?$/.exec(text) ?? [];
  const dollars = (figure: string | undefined): number | null => (figure ? Number(figure) : null);
  const named = { onDemand: dollars(onDemand), spot: dollars(spot) };
  const isPriced = [named.onDemand, named.spot].some((price) => price !== null && price > 0);
  if (!type || (prices !== undefined && !isPriced))
    throw new Error(
      `QUEZTL_GCP_TYPES has "${text}": write "e2-standard-4", or what an hour costs too, as "e2-standard-4=0.134/0.040".`,
    );
  return { type, named: prices === undefined ? null : named };
}

export class GcpProvider implements CloudProvider {
  readonly name = "gcp";
  readonly priced = true;
  #machines: { atMs: number; all: Map<string, MachineType> } | null = null;
  #list: { atMs: number; prices: GcpPrices } | null = null;
  readonly #zones = new Map<string, string>();

  constructor(
    private readonly clients: GcpClients,
    private readonly options: GcpOptions,
  ) {}

  async offerings(): Promise<readonly Offering[]> {
    const [machines, list] = await Promise.all([this.#described(), this.#priceList()]);
    return this.options.zones.flatMap((zone) =>
      this.options.types.flatMap(({ type, named }) => {
        const machine = machines.get(`${zone}/${type}`);
        if (!machine) return [];
        return (["spot", "on_demand"] as const).flatMap((market) => {
          const price = named ? this.#named(named, market) : listed(list, machine, regionOf(zone), market);
          return price ? [this.#offering(machine, zone, market, price)] : [];
        });
      }),
    );
  }

  async launch(order: LaunchOrder): Promise<LaunchReply> {
    const [first] = order.offerings;
    if (
      !first?.zone ||
      !this.options.zones.includes(first.zone) ||
      !this.options.types.some(({ type }) => type === first.type)
    )
      throw new CloudError(
        "invalid",
        `${first?.type} in ${first?.zone} is not in QUEZTL_GCP_TYPES and QUEZTL_GCP_ZONES.`,
      );
    return launchEach(order, first.id, (at) => this.#insert(order, at, first), cloudError);
  }

  async list(cluster: string): Promise<readonly CloudInstance[]> {
    try {
      const each = await Promise.all(this.options.zones.map((zone) => this.#listIn(zone, cluster)));
      return each.flat();
    } catch (error) {
      throw cloudError(error);
    }
  }

  async terminate(ids: readonly string[]): Promise<TerminateReply> {
    return terminateEach(ids, (id) => this.#delete(id), cloudError);
  }

  async close(): Promise<void> {
    const { instances, machineTypes, operations } = this.clients;
    await Promise.all([instances.close(), machineTypes.close(), operations.close()]);
  }

  async #described(): Promise<Map<string, MachineType>> {
    if (this.#machines && this.options.now() - this.#machines.atMs < machineMs) return this.#machines.all;
    const { project, zones, types } = this.options;
    const all = new Map<string, MachineType>();
    const asked = zones.flatMap((zone) => types.map(({ type }) => [zone, type] as const));
    const answers = await Promise.allSettled(
      asked.map(([zone, machineType]) => this.clients.machineTypes.get({ project, zone, machineType })),
    );
    for (const [at, answer] of answers.entries()) {
      const [zone, type] = asked[at] as readonly [string, string];
      if (answer.status === "fulfilled") all.set(`${zone}/${type}`, answer.value[0]);
    }
    const failed = answers.find((answer) => answer.status === "rejected");
    if (all.size === 0 && failed) throw cloudError(failed.reason);
    this.#machines = { atMs: this.options.now(), all };
    return all;
  }

  #named({ onDemand, spot }: NonNullable<GcpType["named"]>, market: Market): Price | null {
    const dollarsPerHour = market === "spot" ? spot : onDemand;
    return dollarsPerHour ? { dollarsPerHour, source: "QUEZTL_GCP_TYPES", asOfMs: this.options.now() } : null;
  }

  /** A day old at most; null where every type has a price of its own. Rejects where it is needed and not to be had. */
  async #priceList(): Promise<GcpPrices | null> {
    if (this.options.types.every(({ named }) => named !== null)) return null;
    if (this.#list && this.options.now() - this.#list.atMs < machineMs) return this.#list.prices;
    try {
      const prices = await this.options.prices();
      this.#list = { atMs: this.options.now(), prices };
      return prices;
    } catch (error) {
      throw cloudError(error);
    }
  }

  #offering(machine: MachineType, zone: string, market: Market, price: Price): Offering {
    const type = machine.name ?? "";
    return {
      id: offeringId(market, type, zone),
      type,
      region: regionOf(zone),
      zone,
      market,
      cores: machine.guestCpus ?? 1,
      memoryBytes: (machine.memoryMb ?? 0) * 2 ** 20,
      gpu: null,
      engines: [],
      price,
      bootMs,
      interruptionsPerHour: market === "spot" ? interruptionsPerHour : 0,
    };
  }

  /** Answers its name: that is its id. */
  async #insert(order: LaunchOrder, at: number, { zone, type, market }: Offering): Promise<string> {
    const { project, image, network } = this.options;
    const name = instanceName(order, at);
    const place = zone as string;
    this.#zones.set(name, place);
    if (await this.#wasDeleted(place, name)) return name;
    try {
      await this.clients.instances.insert({
        project,
        zone: place,
        requestId: uuidOf(name),
        instanceResource: {
          name,
          machineType: `zones/${place}/machineTypes/${type}`,
          labels: { ...tagsOf(order), "queztl-market": market },
          disks: [{ boot: true, autoDelete: true, initializeParams: { sourceImage: image, diskSizeGb: "10" } }],
          networkInterfaces: [{ network, accessConfigs: [{ type: "ONE_TO_ONE_NAT" }] }],
          metadata: { items: [{ key: "startup-script", value: startupScript(order.boot, gceMetadata) }] },
          scheduling: {
            ...(market === "spot" ? { provisioningModel: "SPOT" } : { provisioningModel: "STANDARD" }),
            // Deleted, whatever becomes of the worker and of us.
            instanceTerminationAction: "DELETE",
            maxRunDuration: { seconds: String(Math.ceil(order.boot.lifetimeMs / 1000)) },
            automaticRestart: false,
            onHostMaintenance: "TERMINATE",
          },
        },
      });
    } catch (error) {
      // It is there already: made by an earlier call of this order.
      if (statusOf(error) !== 409) throw error;
    }
    return name;
  }

  /** A zone remembers its operations for two weeks. */
  async #wasDeleted(zone: string, name: string): Promise<boolean> {
    const target = `https://www.googleapis.com/compute/v1/projects/${this.options.project}/zones/${zone}/instances/${name}`;
    const filter = `(operationType = "delete") (targetLink = "${target}")`;
    const [operations] = await this.clients.operations.list({
      project: this.options.project,
      zone,
      filter,
      maxResults: 1,
    });
    return operations.length > 0;
  }

  async #listIn(zone: string, cluster: string): Promise<CloudInstance[]> {
    const { project } = this.options;
    const [instances] = await this.clients.instances.list({
      project,
      zone,
      filter: `labels.queztl-cluster = ${cluster}`,
    });
    return instances.flatMap((instance) => {
      if (!instance.name) return [];
      this.#zones.set(instance.name, zone);
      return [listedOf(instance.name, instance, zone)];
    });
  }

  /** Of an instance that an earlier process launched any zone may have it. */
  async #delete(name: string): Promise<void> {
    const known = this.#zones.get(name);
    for (const zone of known === undefined ? this.options.zones : [known]) {
      try {
        await this.clients.instances.delete({ project: this.options.project, zone, instance: name });
        return;
      } catch (error) {
        // It is gone, or elsewhere.
        if (statusOf(error) !== 404) throw error;
      }
    }
  }
}

const regionOf = (zone: string): string => zone.replace(/-[a-z]$/, "");

function listed(list: GcpPrices | null, machine: MachineType, region: string, market: Market): Price | null {
  const { name: type, guestCpus, memoryMb } = machine;
  if (!list || !type) return null;
  const dollarsPerHour = list.of(type, region, market, guestCpus ?? 1, memoryMb ?? 0);
  if (dollarsPerHour === null) return null;
  const source = "Google Cloud Billing Catalog API";
  return { dollarsPerHour, source, asOfMs: list.asOfMs(type, region, market) };
}

const states: Readonly<Record<string, CloudInstance["state"]>> = {
  PROVISIONING: "starting",
  STAGING: "starting",
  RUNNING: "running",
  STOPPING: "ending",
  SUSPENDING: "ending",
  SUSPENDED: "ending",
  TERMINATED: "ending",
};

function listedOf(name: string, instance: Instance, zone: string): CloudInstance {
  const type = instance.machineType?.split("/").at(-1);
  const market = instance.labels?.["queztl-market"] === "spot" ? "spot" : "on_demand";
  return {
    id: name,
    token: instance.labels?.["queztl-order"] ?? null,
    offering: type === undefined ? null : offeringId(market, type, zone),
    state: states[instance.status ?? ""] ?? "running",
    launchedAtMs: Date.parse(instance.creationTimestamp ?? "") || 0,
    // The instance itself hears of it, and hands its leases back.
    interruptionAtMs: null,
  };
}

/** The same request has the same id, of the form that Google asks for. */
function uuidOf(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/**
 * Azure: a virtual machine for each worker, with its disk, card and address deleted with it. A machine that shuts itself down
 * is billed until it is deallocated, so each has an automatic shutdown of Azure's own at the end of its life; what is found
 * deallocated is deleted. Credentials are looked up by Microsoft's own library and never given to an instance.
 */
import { generateKeyPairSync } from "node:crypto";
import { instanceName, launchEach, terminateEach } from "../each.ts";
import {
  CloudError,
  type CloudInstance,
  type CloudProvider,
  type LaunchOrder,
  type LaunchReply,
  type Offering,
  offeringId,
  type TerminateReply,
  tagsOf,
} from "../provider.ts";
import { azureMetadata, startupScript } from "../startup.ts";
import { cloudError, statusOf } from "./errors.ts";
import type { AzureClient, VirtualMachine } from "./library.ts";
import { type AzurePrice, retailPrices } from "./prices.ts";

export interface AzureOptions {
  subscription: string;
  group: string;
  location: string;
  sizes: readonly string[];
  /** Resource id of the subnet that machines are put into. */
  subnet: string;
  /** Of the management API, and of prices. */
  endpoint: string;
  pricesEndpoint: string;
  /** For what the library has no call of: schedules of shutdown are another service's. */
  token(): Promise<string>;
  now(): number;
}

const sizesDefault = ["Standard_D2s_v5", "Standard_D4s_v5"];
const describedMs = 3_600_000;
/** Where Azure wants a user's key to be, to the letter. */
const homesDir = "/home";
const bootMs = 90_000;
/** Azure publishes bands of a month: the middle one, 5 to 10%, until own experience says more. */
const interruptionsPerHour = 0.075 / 730;

/** From AZURE_SUBSCRIPTION, AZURE_RESOURCE_GROUP, QUEZTL_AZURE_LOCATION, _SIZES and _SUBNET. Throws Error with the remedy. */
export function azureOptions(env: Readonly<Record<string, string | undefined>>): Omit<AzureOptions, "token"> {
  const needed = (name: string, value: string | undefined, what: string): string => {
    if (!value) throw new Error(`${what}: set ${name}.`);
    return value;
  };
  const sizes = (env.QUEZTL_AZURE_SIZES ?? "")
    .split(",")
    .map((size) => size.trim())
    .filter((size) => size !== "");
  return {
    subscription: needed(
      "AZURE_SUBSCRIPTION",
      env.AZURE_SUBSCRIPTION || env.AZURE_SUBSCRIPTION_ID,
      "No subscription is named",
    ),
    group: needed("AZURE_RESOURCE_GROUP", env.AZURE_RESOURCE_GROUP, "No resource group is named"),
    location: env.QUEZTL_AZURE_LOCATION || "eastus",
    sizes: sizes.length > 0 ? sizes : sizesDefault,
    subnet: needed("QUEZTL_AZURE_SUBNET", env.QUEZTL_AZURE_SUBNET, "No subnet is named (its resource id)"),
    endpoint: "https://management.azure.com",
    pricesEndpoint: "https://prices.azure.com",
    now: Date.now,
  };
}

interface Described {
  atMs: number;
  cores: Map<string, { cores: number; memoryBytes: number }>;
  prices: AzurePrice[];
}

export class AzureProvider implements CloudProvider {
  readonly name = "azure";
  readonly priced = true;
  #described: Described | null = null;
  /** Names are free again once a machine is gone: an order that was ended here makes none anew. */
  readonly #ended = new Set<string>();
  /** A key that nobody keeps the other half of: Azure wants one, and nobody is to log in. */
  readonly #sshKey = publicSshKey();

  constructor(
    private readonly client: AzureClient,
    private readonly options: AzureOptions,
  ) {}

  async offerings(): Promise<readonly Offering[]> {
    const { location, sizes } = this.options;
    const { cores, prices } = await this.#describe();
    return prices.flatMap(({ size, market, dollarsPerHour, asOfMs }): Offering[] => {
      const machine = cores.get(size);
      if (!machine || !sizes.includes(size)) return [];
      return [
        {
          ...machine,
          id: offeringId(market, size, location),
          type: size,
          region: location,
          zone: null,
          market,
          gpu: null,
          engines: [],
          price: { dollarsPerHour, source: "Azure retail prices", asOfMs },
          bootMs,
          interruptionsPerHour: market === "spot" ? interruptionsPerHour : 0,
        },
      ];
    });
  }

  async launch(order: LaunchOrder): Promise<LaunchReply> {
    const [first] = order.offerings;
    if (!first || !this.options.sizes.includes(first.type))
      throw new CloudError("invalid", `${first?.type} is not in QUEZTL_AZURE_SIZES.`);
    return launchEach(order, first.id, (at) => this.#create(order, at, first), cloudError);
  }

  async list(cluster: string): Promise<readonly CloudInstance[]> {
    const found: CloudInstance[] = [];
    try {
      for await (const machine of this.client.virtualMachines.list(this.options.group, { expand: "instanceView" })) {
        if (machine.tags?.["queztl-cluster"] !== cluster || !machine.name) continue;
        const instance = listedOf(machine.name, machine, this.options.location);
        found.push(instance);
        // It has shut down, and would be billed for its disk, or for more.
        if (instance.state === "ending" && machine.provisioningState !== "Deleting")
          await this.#delete(machine.name).catch(() => {});
      }
    } catch (error) {
      throw cloudError(error);
    }
    return found;
  }

  async terminate(ids: readonly string[]): Promise<TerminateReply> {
    return terminateEach(ids, (id) => this.#delete(id), cloudError);
  }

  async close(): Promise<void> {}

  async #describe(): Promise<Described> {
    const { now, location, sizes, pricesEndpoint } = this.options;
    if (this.#described && now() - this.#described.atMs < describedMs) return this.#described;
    try {
      const cores: Described["cores"] = new Map();
      for await (const { name, numberOfCores, memoryInMB } of this.client.virtualMachineSizes.list(location))
        if (name && numberOfCores) cores.set(name, { cores: numberOfCores, memoryBytes: (memoryInMB ?? 0) * 2 ** 20 });
      const prices = await retailPrices(pricesEndpoint, location, sizes);
      this.#described = { atMs: now(), cores, prices };
      return this.#described;
    } catch (error) {
      throw cloudError(error);
    }
  }

  /** Answers its name, which is its id. The same name again is the same machine. */
  async #create(order: LaunchOrder, at: number, { type, market }: Offering): Promise<string> {
    const { group } = this.options;
    const name = instanceName(order, at);
    if (this.#ended.has(name)) return name;
    await this.client.virtualMachines.beginCreateOrUpdate(
      group,
      name,
      this.#machine(order, name, type, market === "spot"),
    );
    try {
      await this.#scheduleShutdown(name, order.boot.lifetimeMs);
    } catch (error) {
      // Without an end of its own it must not live.
      await this.#delete(name).catch(() => {});
      throw error;
    }
    return name;
  }

  #machine(order: LaunchOrder, name: string, size: string, isSpot: boolean): object {
    const { location, subnet } = this.options;
    const address = { name: `${name}-ip`, deleteOption: "Delete", sku: { name: "Standard" } };
    const card = {
      name: `${name}-card`,
      primary: true,
      deleteOption: "Delete",
      ipConfigurations: [{ name: "ip", subnet: { id: subnet }, publicIPAddressConfiguration: address }],
    };
    return {
      location,
      tags: { ...tagsOf(order), "queztl-market": isSpot ? "spot" : "on_demand" },
      ...(isSpot ? { priority: "Spot", evictionPolicy: "Delete", billingProfile: { maxPrice: -1 } } : {}),
      hardwareProfile: { vmSize: size },
      storageProfile: {
        imageReference: { publisher: "Debian", offer: "debian-12", sku: "12-gen2", version: "latest" },
        osDisk: { createOption: "FromImage", deleteOption: "Delete", diskSizeGB: 30 },
      },
      osProfile: {
        computerName: name,
        adminUsername: "queztl",
        customData: Buffer.from(startupScript(order.boot, azureMetadata)).toString("base64"),
        linuxConfiguration: {
          disablePasswordAuthentication: true,
          ssh: { publicKeys: [{ path: `${homesDir}/queztl/.ssh/authorized_keys`, keyData: this.#sshKey }] },
        },
      },
      networkProfile: { networkApiVersion: "2022-11-01", networkInterfaceConfigurations: [card] },
    };
  }

  /** At that minute of the day, in which it comes first after its life is over: deallocated, it costs no compute. */
  async #scheduleShutdown(name: string, lifetimeMs: number): Promise<void> {
    const { endpoint, subscription, group, location, now } = this.options;
    const scope = `/subscriptions/${subscription}/resourceGroups/${group}/providers`;
    const end = new Date(now() + Math.min(lifetimeMs + 60_000, 23 * 3_600_000 + 59 * 60_000));
    const time = end.toISOString().slice(11, 16).replace(":", "");
    const body = {
      location,
      properties: {
        status: "Enabled",
        taskType: "ComputeVmShutdownTask",
        dailyRecurrence: { time },
        timeZoneId: "UTC",
        targetResourceId: `${scope}/Microsoft.Compute/virtualMachines/${name}`,
      },
    };
    const answer = await fetch(
      `${endpoint}${scope}/Microsoft.DevTestLab/schedules/shutdown-computevm-${name}?api-version=2018-09-15`,
      {
        method: "PUT",
        headers: { "content-type": "application/json", authorization: `Bearer ${await this.options.token()}` },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
      },
    );
    if (answer.ok) return;
    const text = (await answer.text()).slice(0, 300);
    throw Object.assign(new Error(`No shutdown could be scheduled: ${text}`), { statusCode: answer.status });
  }

  async #delete(name: string): Promise<void> {
    this.#ended.add(name);
    try {
      await this.client.virtualMachines.beginDelete(this.options.group, name);
    } catch (error) {
      // It is gone already.
      if (statusOf(error) !== 404) throw error;
    }
  }
}

function listedOf(name: string, machine: VirtualMachine, location: string): CloudInstance {
  const size = machine.hardwareProfile?.vmSize;
  const market = machine.tags?.["queztl-market"] === "spot" ? "spot" : "on_demand";
  const power = machine.instanceView?.statuses?.find(({ code }) => code?.startsWith("PowerState/"))?.code;
  const isEnding =
    machine.provisioningState === "Deleting" || (power !== undefined && !/\/(?:running|starting)$/.test(power));
  return {
    id: name,
    token: machine.tags?.["queztl-order"] ?? null,
    offering: size === undefined ? null : offeringId(market, size, location),
    state: isEnding ? "ending" : machine.provisioningState === "Creating" ? "starting" : "running",
    launchedAtMs: machine.timeCreated ? new Date(machine.timeCreated).getTime() : 0,
    // The instance itself hears of it, and hands its leases back.
    interruptionAtMs: null,
  };
}

/** As OpenSSH writes it (RFC 8709). */
function publicSshKey(): string {
  const { publicKey } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(publicKey.export({ format: "jwk" }).x as string, "base64url");
  const parts = [Buffer.from("ssh-ed25519"), raw].flatMap((part) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(part.length);
    return [length, part];
  });
  return `ssh-ed25519 ${Buffer.concat(parts).toString("base64")} queztl`;
}

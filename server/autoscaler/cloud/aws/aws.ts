/**
 * Amazon EC2. Instances are found again by their tags, in each region that was named. Credentials are looked up by
 * Amazon's own library (environment, profile, role), and are never given to an instance.
 */
import { DescribeInstancesCommand, EC2Client, type Instance, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { PricingClient } from "@aws-sdk/client-pricing";
import { listedPrices } from "../../prices.ts";
import {
  CloudError,
  type CloudInstance,
  type CloudProvider,
  callMsMax,
  type LaunchOrder,
  type LaunchReply,
  type Offering,
  type TerminateReply,
} from "../provider.ts";
import { cloudError } from "./errors.ts";
import { type FleetOptions, launchFleet, listedOffering } from "./fleet.ts";
import { Machines } from "./machines.ts";
import { OnDemandPrices, pricingRegion } from "./prices.ts";

export interface AwsOptions extends FleetOptions {
  /** The first is used where an order does not say. */
  regions: readonly string[];
  types: readonly string[];
  /** Of a counterpart other than Amazon's. */
  endpoint?: string | undefined;
  pricingEndpoint?: string | undefined;
  credentials?: { accessKeyId: string; secretAccessKey: string };
  now(): number;
}

/** Amazon Linux 2023, the newest: EC2 looks its id up. */
const imageDefault = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
const regionDefault = "us-east-1";
const attemptsMax = 3;
const pagesMax = 100;
const idsOfCallMax = 500;

/** From the environment: AWS_REGION, QUEZTL_EC2_REGIONS, QUEZTL_EC2_TYPES, QUEZTL_EC2_IMAGE, QUEZTL_EC2_SUBNET, QUEZTL_EC2_SECURITY_GROUP, AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_EC2, AWS_ENDPOINT_URL_PRICING. */
export function awsOptions(env: Readonly<Record<string, string | undefined>>): AwsOptions {
  const list = (text: string | undefined): string[] =>
    (text ?? "")
      .split(",")
      .map((each) => each.trim())
      .filter((each) => each !== "");
  const regions = list(env.QUEZTL_EC2_REGIONS);
  const types = list(env.QUEZTL_EC2_TYPES);
  const ownRegion = env.AWS_REGION || env.AWS_DEFAULT_REGION || regionDefault;
  return {
    regions: regions.length > 0 ? regions : [ownRegion],
    types: types.length > 0 ? types : [...new Set(listedPrices.map(({ type }) => type))],
    image: env.QUEZTL_EC2_IMAGE || imageDefault,
    subnet: env.QUEZTL_EC2_SUBNET || null,
    securityGroup: env.QUEZTL_EC2_SECURITY_GROUP || null,
    endpoint: env.AWS_ENDPOINT_URL_EC2 || env.AWS_ENDPOINT_URL || undefined,
    pricingEndpoint: env.AWS_ENDPOINT_URL_PRICING || env.AWS_ENDPOINT_URL || undefined,
    now: Date.now,
  };
}

interface Region {
  name: string;
  client: EC2Client;
  machines: Machines;
}

export class AwsProvider implements CloudProvider {
  readonly name = "aws";
  readonly priced = true;
  readonly #regions: Region[];
  readonly #pricing: PricingClient;
  /** Region of instances that were seen. */
  readonly #places = new Map<string, string>();

  constructor(private readonly options: AwsOptions) {
    const { regions, types, now } = options;
    const configured = (region: string, endpoint: string | undefined) => ({
      region,
      maxAttempts: attemptsMax,
      requestHandler: { requestTimeout: callMsMax / 4, connectionTimeout: 5_000 },
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    });
    this.#pricing = new PricingClient(configured(pricingRegion, options.pricingEndpoint));
    this.#regions = regions.map((name) => {
      const client = new EC2Client(configured(name, options.endpoint));
      const prices = new OnDemandPrices(this.#pricing, name, now);
      return { name, client, machines: new Machines(client, name, types, prices, now) };
    });
  }

  async offerings(): Promise<readonly Offering[]> {
    const each = await Promise.allSettled(this.#regions.map(({ machines }) => machines.offerings()));
    const found = each.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    const failed = each.find((answer) => answer.status === "rejected");
    // A region that is down leaves the others.
    if (found.length === 0 && failed) throw cloudError(failed.reason);
    return found;
  }

  async launch(order: LaunchOrder): Promise<LaunchReply> {
    const [first] = order.offerings;
    const region = this.#regions.find(({ name }) => name === first?.region);
    if (!first || !region)
      throw new CloudError("invalid", `No region ${first?.region ?? ""} was named: set QUEZTL_EC2_REGIONS.`);
    const reply = await launchFleet(region.client, order, this.options);
    for (const { id } of reply.instances) this.#places.set(id, region.name);
    return reply;
  }

  async list(cluster: string): Promise<readonly CloudInstance[]> {
    try {
      // One that cannot be asked must not look empty.
      return (await Promise.all(this.#regions.map((region) => this.#listIn(region, cluster)))).flat();
    } catch (error) {
      throw cloudError(error);
    }
  }

  async terminate(ids: readonly string[]): Promise<TerminateReply> {
    const reply: TerminateReply = { accepted: [], refusals: [] };
    if (ids.some((id) => !this.#places.has(id))) await this.#findPlaces(ids);
    for (const { name, client } of this.#regions) {
      const here = ids.filter((id) => (this.#places.get(id) ?? this.#regions[0]?.name) === name);
      for (let at = 0; at < here.length; at += idsOfCallMax)
        await end(client, here.slice(at, at + idsOfCallMax), reply);
    }
    const [refused] = reply.refusals;
    if (reply.accepted.length === 0 && refused) throw new CloudError(refused.code, refused.message);
    return reply;
  }

  async close(): Promise<void> {
    for (const { client } of this.#regions) client.destroy();
    this.#pricing.destroy();
  }

  async #listIn({ name, client }: Region, cluster: string): Promise<CloudInstance[]> {
    const found: CloudInstance[] = [];
    let next: string | undefined;
    for (let page = 0; page < pagesMax; page++) {
      const filter = { Name: "tag:queztl-cluster", Values: [cluster] };
      const answer = await client.send(
        new DescribeInstancesCommand({ Filters: [filter], MaxResults: 1_000, NextToken: next }),
      );
      for (const { Instances: instances = [] } of answer.Reservations ?? []) {
        for (const instance of instances) {
          const { InstanceId: id } = instance;
          if (!id) continue;
          this.#places.set(id, name);
          found.push(listed(id, instance, name));
        }
      }
      next = answer.NextToken;
      if (!next) break;
    }
    return found;
  }

  /** Of instances that an earlier process launched. What no region knows is gone. */
  async #findPlaces(ids: readonly string[]): Promise<void> {
    await Promise.all(
      this.#regions.map(async ({ name, client }) => {
        const filter = { Name: "instance-id", Values: ids.filter((id) => !this.#places.has(id)).slice(0, 200) };
        const answer = await client.send(new DescribeInstancesCommand({ Filters: [filter] })).catch(() => null);
        for (const { Instances: instances = [] } of answer?.Reservations ?? [])
          for (const { InstanceId: id } of instances) if (id) this.#places.set(id, name);
      }),
    );
  }
}

const states: Readonly<Record<string, CloudInstance["state"]>> = {
  pending: "starting",
  running: "running",
  "shutting-down": "ending",
  stopping: "ending",
  stopped: "ending",
  terminated: "gone",
};

function listed(id: string, instance: Instance, region: string): CloudInstance {
  const isSpot = instance.InstanceLifecycle === "spot";
  return {
    id,
    token: instance.Tags?.find(({ Key }) => Key === "queztl-order")?.Value ?? null,
    offering: listedOffering(instance.InstanceType, instance.Placement?.AvailabilityZone, isSpot, region),
    state: states[instance.State?.Name ?? ""] ?? "running",
    launchedAtMs: instance.LaunchTime?.getTime() ?? 0,
    // The instance itself hears of it, and hands its leases back.
    interruptionAtMs: null,
  };
}

/** One id that is gone fails a whole call: then each is asked for by itself. */
async function end(client: EC2Client, ids: readonly string[], reply: TerminateReply): Promise<void> {
  if (ids.length === 0) return;
  try {
    await client.send(new TerminateInstancesCommand({ InstanceIds: [...ids] }));
    reply.accepted.push(...ids);
  } catch (error) {
    const { name } = error as Error;
    if (name === "InvalidInstanceID.NotFound" && ids.length === 1) {
      reply.accepted.push(...ids);
    } else if (ids.length > 1 && (name === "InvalidInstanceID.NotFound" || name === "OperationNotPermitted")) {
      for (const id of ids) await end(client, [id], reply);
    } else {
      const { code, message } = cloudError(error);
      reply.refusals.push(...ids.map((id) => ({ id, code, message })));
    }
  }
}

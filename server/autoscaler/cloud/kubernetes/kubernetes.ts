/**
 * Kubernetes: a Job for each worker. A Job that was ended is suspended and not deleted, which ends its pod and keeps its name
 * taken for a day, so that an order that comes again starts nothing anew.
 */
import { type BatchV1Api, PatchStrategy, setHeaderOptions, type V1Job } from "@kubernetes/client-node";
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

export interface KubernetesOptions {
  batch: BatchV1Api;
  namespace: string;
  image: string;
  sizes: readonly Size[];
  /** What the cluster charges for a core-hour; 0 where nobody sends a bill. */
  dollarsPerCoreHour: number;
  serviceAccount: string | null;
}

const sizeDefault = "1x1024,4x4096";
const keptSeconds = 24 * 3_600;
const bootMs = 20_000;
const pageJobs = 500;
const pagesMax = 20;

/** From QUEZTL_K8S_NAMESPACE, _IMAGE, _SIZES, _DOLLARS_PER_CORE_HOUR and _SERVICE_ACCOUNT. Throws Error with the remedy. */
export function kubernetesOptions(env: Readonly<Record<string, string | undefined>>): Omit<KubernetesOptions, "batch"> {
  const dollarsPerCoreHour = Number(env.QUEZTL_K8S_DOLLARS_PER_CORE_HOUR || 0);
  if (!(dollarsPerCoreHour >= 0 && dollarsPerCoreHour < 1000))
    throw new Error(`QUEZTL_K8S_DOLLARS_PER_CORE_HOUR is "${env.QUEZTL_K8S_DOLLARS_PER_CORE_HOUR}": write a number.`);
  return {
    namespace: env.QUEZTL_K8S_NAMESPACE || "default",
    image: env.QUEZTL_K8S_IMAGE || imageDefault,
    sizes: sizesOf(env.QUEZTL_K8S_SIZES || sizeDefault, "QUEZTL_K8S_SIZES"),
    dollarsPerCoreHour,
    serviceAccount: env.QUEZTL_K8S_SERVICE_ACCOUNT || null,
  };
}

export class KubernetesProvider implements CloudProvider {
  readonly name = "kubernetes";
  readonly priced: boolean;

  constructor(private readonly options: KubernetesOptions) {
    this.priced = options.dollarsPerCoreHour > 0;
  }

  async offerings(): Promise<readonly Offering[]> {
    const { sizes, dollarsPerCoreHour } = this.options;
    return sizes.map((size) => ({
      id: idOf(size.name),
      type: size.name,
      region: "kubernetes",
      zone: null,
      market: "on_demand",
      cores: size.cores,
      memoryBytes: size.memoryBytes,
      gpu: null,
      engines: [],
      price: {
        dollarsPerHour: dollarsPerCoreHour * size.cores,
        source: dollarsPerCoreHour > 0 ? "QUEZTL_K8S_DOLLARS_PER_CORE_HOUR" : "your own cluster",
        asOfMs: Date.now(),
      },
      bootMs,
      interruptionsPerHour: 0,
    }));
  }

  async launch(order: LaunchOrder): Promise<LaunchReply> {
    const size = this.options.sizes.find(({ name }) => order.offerings.some(({ type }) => type === name));
    if (!size) throw new CloudError("invalid", `${order.offerings[0]?.type} is not in QUEZTL_K8S_SIZES.`);
    const make = async (at: number): Promise<string> => {
      const name = instanceName(order, at);
      await this.#create(jobOf(order, name, size, this.options));
      return name;
    };
    return launchEach(order, idOf(size.name), make, cloudError);
  }

  async list(cluster: string): Promise<readonly CloudInstance[]> {
    const { batch, namespace } = this.options;
    const found: CloudInstance[] = [];
    let next: string | undefined;
    try {
      for (let page = 0; page < pagesMax; page++) {
        const labelSelector = `queztl-cluster=${cluster}`;
        const { items, metadata } = await batch.listNamespacedJob({
          ...{ namespace, labelSelector, limit: pageJobs },
          ...(next === undefined ? {} : { _continue: next }),
        });
        found.push(...items.map(listedOf));
        next = metadata?._continue || undefined;
        if (next === undefined) break;
      }
    } catch (error) {
      throw cloudError(error);
    }
    for (const { id, state, launchedAtMs } of found)
      if (state === "gone" && Date.now() - launchedAtMs > keptSeconds * 1000) await this.#remove(id);
    return found;
  }

  async terminate(ids: readonly string[]): Promise<TerminateReply> {
    // One that is gone already was ended.
    return terminateEach(ids, (name) => unless(this.#suspend(name), (error) => statusOf(error) === 404), cloudError);
  }

  async close(): Promise<void> {}

  /** One that is there already is this order's own. */
  async #create(body: V1Job): Promise<void> {
    const { batch, namespace } = this.options;
    await unless(batch.createNamespacedJob({ namespace, body }), (error) => statusOf(error) === 409);
  }

  /** Kubernetes then deletes the pod, which has its grace to hand leases back. */
  async #suspend(name: string): Promise<void> {
    const { batch, namespace } = this.options;
    const asMerge = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);
    await batch.patchNamespacedJob({ name, namespace, body: { spec: { suspend: true } } }, asMerge);
  }

  async #remove(name: string): Promise<void> {
    const { batch, namespace } = this.options;
    await batch.deleteNamespacedJob({ name, namespace, propagationPolicy: "Background" }).catch(() => {});
  }
}

const idOf = (size: string): string => offeringId("on_demand", size, "kubernetes");

function jobOf(order: LaunchOrder, name: string, size: Size, options: KubernetesOptions): V1Job {
  const resources = { cpu: String(size.cores), memory: `${Math.round(size.memoryBytes / 2 ** 20)}Mi` };
  const labels = { ...tagsOf(order), "queztl-size": size.name };
  return {
    metadata: { name, labels },
    spec: {
      backoffLimit: 0,
      // Whatever becomes of the worker and of us.
      activeDeadlineSeconds: Math.ceil(order.boot.lifetimeMs / 1000),
      ttlSecondsAfterFinished: keptSeconds,
      template: {
        metadata: { labels },
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 10,
          ...(options.serviceAccount === null ? {} : { serviceAccountName: options.serviceAccount }),
          containers: [
            {
              name: "worker",
              image: options.image,
              command: containerCommand(order.boot, name),
              env: [
                { name: "QUEZTL_JOIN_TOKEN", value: `${order.boot.joinToken}:${name}` },
                { name: "QUEZTL_MODE", value: "worker" },
              ],
              resources: { requests: resources, limits: resources },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
            },
          ],
        },
      },
    },
  };
}

function listedOf({ metadata, spec, status }: V1Job): CloudInstance {
  const size = metadata?.labels?.["queztl-size"];
  const isOver = (status?.conditions ?? []).some(
    ({ type, status: holds }) => (type === "Complete" || type === "Failed") && holds === "True",
  );
  const active = status?.active ?? 0;
  const state = metadata?.deletionTimestamp
    ? "ending"
    : isOver
      ? "gone"
      : spec?.suspend
        ? active > 0
          ? "ending"
          : "gone"
        : (status?.ready ?? 0) > 0
          ? "running"
          : "starting";
  return {
    id: metadata?.name ?? "",
    token: metadata?.labels?.["queztl-order"] ?? null,
    offering: size === undefined ? null : idOf(size),
    state,
    launchedAtMs: new Date(metadata?.creationTimestamp ?? 0).getTime(),
    interruptionAtMs: null,
  };
}

const statusOf = (error: unknown): number | undefined => (error as { code?: unknown }).code as number | undefined;

/** What the API server says, in the port's own words. */
export function cloudError(error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const { message = String(error), code, cause } = error as Error & { code?: unknown };
  const system = String((cause as { code?: string } | undefined)?.code ?? code ?? "");
  const text = /"message":"((?:[^"\\]|\\.)*)"/.exec(String((error as { body?: unknown }).body ?? ""))?.[1] ?? message;
  const told = (found: CloudErrorCode): CloudError =>
    new CloudError(found, text.slice(0, 500), found === "throttled" ? 5_000 : null, { cause: error });
  if (["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH"].includes(system)) return told("unavailable");
  if (typeof code !== "number") return told("unknown");
  if (code === 401) return told("unauthorized");
  if (code === 403) return told(/quota/i.test(text) ? "quota" : "unauthorized");
  if (code === 429) return told("throttled");
  if (code >= 500) return told("unavailable");
  return told("invalid");
}

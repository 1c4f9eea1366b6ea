/** Puts the autoscaler together: its provider, its record, its clock, and what it sees of the grid. */
import { randomBytes } from "node:crypto";
import { openProvider } from "./autoscaler/cloud/open.ts";
import { forecaster } from "./autoscaler/forecast/forecast.ts";
import type { PolicyName, Target } from "./autoscaler/model.ts";
import { volunteersPrice } from "./autoscaler/prices.ts";
import { Scaler } from "./autoscaler/scaler.ts";
import { defaultSettings, localSettings } from "./autoscaler/settings.ts";
import { ScalerApi } from "./autoscaler/shell/api.ts";
import { History } from "./autoscaler/shell/history.ts";
import { rooms } from "./autoscaler/shell/records.ts";
import { cloudTiming, localTiming } from "./autoscaler/shell/upkeep.ts";
import type { Coordinator } from "./coordinator.ts";
import { contradiction, type ScaleConfig } from "./scale-config.ts";
import { createMac } from "./shell/mac.ts";
import type { GridScaler } from "./transport/scaler.ts";

export interface ScalingOptions {
  config: ScaleConfig;
  coordinator: Coordinator;
  env: Readonly<Record<string, string | undefined>>;
  dataDir: string;
  workerFile: string;
  /** Stable over restarts. */
  id: string;
  secret: string;
  log(code: string, message: string): void;
}

/** What instances on this machine must not be given: the operator's secrets, clouds' credentials, the coordinator's port. */
const kept = /^(?:AWS_|GCP_|GOOGLE_|AZURE_|KUBE|DOCKER_|QUEZTL_(?:OPERATOR_TOKEN|JOIN_TOKEN|PORT|DATA|TLS_|SCALE_))/;
const publicOf = (env: ScalingOptions["env"]): ScalingOptions["env"] =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !kept.test(name)));

export interface Scaling {
  scaler: Scaler;
  api: GridScaler;
  /** Begins, instances reaching the coordinator at this address. */
  start(coordinatorUrl: string): Promise<void>;
  /** Begins nothing more, and ends what would not outlive this process. */
  stop(): Promise<void>;
}

/** Opened, and not started yet. */
export async function openScaling(options: ScalingOptions): Promise<Scaling> {
  const { config, coordinator, log } = options;
  const provider = await openProvider(config.provider, { ...options, env: publicOf(options.env), cloud: config.cloud });
  const { policy, target } = await agreed(config, coordinator);
  // Processes and containers of this machine come and go in seconds and cost nothing.
  const isNear = !provider.priced && (config.provider === "local" || config.provider === "docker");
  let coordinatorUrl = "";
  const scaler = new Scaler({
    provider,
    clock: {
      now: Date.now,
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
    },
    records: coordinator.scaling,
    grid: coordinator.scaling,
    mac: createMac(options.secret),
    random: () => randomBytes(8).toString("hex"),
    cluster: `queztl-${options.id}`
      .toLowerCase()
      .replace(/[^a-z0-9-]/g, "-")
      .slice(0, 30),
    coordinatorUrl: () => coordinatorUrl,
    policy,
    target,
    settings: isNear ? localSettings : defaultSettings,
    timing: isNear ? localTiming : cloudTiming,
    dollarsPerCoreSecond: volunteersPrice.dollarsPerHour / volunteersPrice.cores / 3_600,
    arrivals: new History(forecaster()),
    log,
  });
  return {
    scaler,
    api: new ScalerApi(scaler, contradiction),
    start: async (url) => {
      coordinatorUrl = url;
      await scaler.start();
    },
    stop: async () => {
      await scaler.stop();
      await provider.close();
    },
  };
}

/** What was changed over REST holds over restarts, unless this start names it itself. */
async function agreed(
  { policy, target, named }: ScaleConfig,
  coordinator: Coordinator,
): Promise<{ policy: PolicyName; target: Target }> {
  const document = (await coordinator.scaling.documents(rooms.state)).find(({ key }) => key === "target");
  if (!document) return { policy, target };
  const kept = JSON.parse(document.value) as { policy: PolicyName; target: Target };
  const agreedTarget: Target = { ...target, ...kept.target };
  for (const key of named) if (key !== "policy") Object.assign(agreedTarget, { [key]: target[key] });
  return { policy: named.includes("policy") ? policy : kept.policy, target: agreedTarget };
}

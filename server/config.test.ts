import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { type Config, readConfig, usage } from "./config.ts";

const config = (argv: string[], env: NodeJS.ProcessEnv = {}): Config => readConfig(argv, env) as Config;

describe("https", () => {
  it("is asked for by flag or variable", () => {
    expect(config([]).https).toBe(false);
    expect(config(["--https"]).https).toBe(true);
    expect(config([], { QUEZTL_HTTPS: "1" }).https).toBe(true);
  });
  it("takes the operator's files, a flag before a variable", () => {
    const env = { QUEZTL_TLS_CERT: "a.pem", QUEZTL_TLS_KEY: "a.key" };
    expect(config([], env).tlsFiles).toEqual({ cert: resolve("a.pem"), key: resolve("a.key") });
    expect(config(["--tls-cert", "b.pem"], env).tlsFiles?.cert).toBe(resolve("b.pem"));
  });
  it("refuses one file without the other, and both ways at once", () => {
    expect(() => config(["--tls-cert", "a.pem"])).toThrow(/--tls-cert .* needs --tls-key \/ QUEZTL_TLS_KEY/);
    expect(() => config([], { QUEZTL_TLS_KEY: "a.key" })).toThrow(/needs --tls-cert \/ QUEZTL_TLS_CERT/);
    expect(() => config(["--https", "--tls-cert", "a", "--tls-key", "b"])).toThrow(/leave one of them out/);
  });
});

it("how many new identities a network may bring is the operator's to say", () => {
  expect(config([]).newIdentitiesPerHour).toBe(256);
  expect(config([], { QUEZTL_NEW_IDENTITIES: "9" }).newIdentitiesPerHour).toBe(9);
  expect(config(["--new-identities", "7"], { QUEZTL_NEW_IDENTITIES: "9" }).newIdentitiesPerHour).toBe(7);
  expect(() => config(["--new-identities", "0"])).toThrow(/--new-identities .* from 1/);
});

describe("the demo job", () => {
  it("is for a terminal, unless a flag or variable says otherwise", () => {
    expect(config([]).demoJob).toBe("terminal");
    expect(config(["--demo-job"]).demoJob).toBe("on");
    expect(config([], { QUEZTL_DEMO_JOB: "1" }).demoJob).toBe("on");
    expect(config(["--no-demo"], { QUEZTL_DEMO_JOB: "1" }).demoJob).toBe("off");
    expect(() => config(["--no-demo", "--demo-job"])).toThrow(/exclude each other/);
  });
  it("is off where strangers use the grid, unless asked for", () => {
    expect(config(["--service"]).demoJob).toBe("off");
    expect(config(["--public-url", "https://grid.example"]).demoJob).toBe("off");
    expect(config([], { INVOCATION_ID: "systemd" }).demoJob).toBe("off");
    expect(config(["--service", "--demo-job"]).demoJob).toBe("on");
  });
});

describe("the browser", () => {
  it("is not opened by a service, in CI or when told not to", () => {
    expect(config([]).open).toBe(true);
    expect(config(["--no-open"]).open).toBe(false);
    expect(config(["--service"]).open).toBe(false);
    expect(config([], { CI: "true" }).desk.ci).toBe(true);
    expect(config([], { CI: "false" }).desk.ci).toBe(false);
    expect(config([], { SSH_CONNECTION: "1 2 3 4" }).desk.ssh).toBe(true);
  });
});

describe("the autoscaler", () => {
  const scale = (argv: string[], env: NodeJS.ProcessEnv = {}) => config(argv, env).scale;

  it("is off unless asked for, and local where nobody says which", () => {
    expect(scale([])).toBe(null);
    expect(scale([], { AWS_REGION: "us-east-1" })).toBe(null);
    expect(scale(["--max-nodes=4"])).toMatchObject({ provider: "local", policy: "reactive", target: { maxNodes: 4 } });
  });
  it("takes the flags and variables of the user's document", () => {
    const flags = ["--scale-provider=aws", "--max-nodes=100"];
    expect(scale(flags)).toMatchObject({ provider: "aws", target: { minNodes: 0, maxNodes: 100, targetCpu: 0.7 } });
    const env = {
      QUEZTL_SCALE_POLICY: "predictive",
      QUEZTL_SCALE_MIN: "1",
      QUEZTL_SCALE_MAX: "100",
      QUEZTL_SCALE_COOLDOWN: "60",
      AWS_REGION: "us-east-1",
      SECRET_OF_ANOTHER: "x",
    };
    expect(scale([], env)).toMatchObject({
      policy: "predictive",
      target: { minNodes: 1, maxNodes: 100, cooldownMs: 60_000 },
      cloud: { AWS_REGION: "us-east-1" },
    });
    expect(scale([], env)?.cloud).not.toHaveProperty("SECRET_OF_ANOTHER");
  });
  it("a flag beats a variable, and QUEZTL_SCALE_MAX beats QUEZTL_MAX_NODES", () => {
    expect(scale([], { QUEZTL_MAX_NODES: "7" })?.target.maxNodes).toBe(7);
    expect(scale([], { QUEZTL_MAX_NODES: "7", QUEZTL_SCALE_MAX: "8" })?.target.maxNodes).toBe(8);
    expect(scale(["--max-nodes=9"], { QUEZTL_MAX_NODES: "7", QUEZTL_SCALE_MAX: "8" })?.target.maxNodes).toBe(9);
    expect(scale(["--scale-policy=cost-optimized"], { QUEZTL_SCALE_POLICY: "predictive" })?.policy).toBe(
      "cost_optimized",
    );
  });
  it("knows what was named, and has a budget unless told that there is none", () => {
    expect(scale(["--max-nodes=9"])?.named).toEqual(["maxNodes"]);
    expect(scale(["--scale-provider=aws"])?.target).toMatchObject({ dollarsPerHourMax: 5, dollarsPerDayMax: 25 });
    expect(scale(["--max-dollars-per-hour=none"])?.target.dollarsPerHourMax).toBe(null);
  });
  it("refuses what cannot be meant, by name and with the remedy", () => {
    expect(() => config(["--scale-provider=ec2"])).toThrow(/--scale-provider .* must be one of local, docker, aws/);
    expect(() => config(["--max-nodes=x"])).toThrow(/--max-nodes .* must be a number from 0/);
    expect(() => config([], { QUEZTL_SCALE_MIN: "1.5" })).toThrow(/whole numbers/);
    expect(() => config(["--min-nodes=5", "--max-nodes=4"])).toThrow(/lower --min-nodes or raise --max-nodes/);
    expect(() => config(["--scale-up-at=0.2", "--max-nodes=1"])).toThrow(/set the first below the second/);
  });
  it("is all in --help", () => {
    const text = usage();
    for (const name of [
      ...["--scale-provider", "--max-nodes", "--min-nodes", "--scale-policy", "QUEZTL_SCALE_MIN", "QUEZTL_SCALE_MAX"],
      ...["QUEZTL_MAX_NODES", "QUEZTL_SCALE_COOLDOWN", "AWS_REGION", "GCP_PROJECT", "AZURE_SUBSCRIPTION"],
    ]) {
      expect(text).toContain(name);
    }
  });
});

import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { type Config, readConfig } from "./config.ts";

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

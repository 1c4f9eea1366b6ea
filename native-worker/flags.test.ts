import { describe, expect, it } from "vitest";
import { flagsOf, type WorkerFlags } from "./flags.ts";

const flags = (argv: string[], env: NodeJS.ProcessEnv = {}): WorkerFlags => flagsOf(argv, env) as WorkerFlags;

describe("flags", () => {
  it("beat variables, which beat defaults", () => {
    expect(flags([]).coordinatorUrl).toBe("http://localhost:8000/");
    const env = { QUEZTL_COORDINATOR_URL: "http://a:1", QUEZTL_JOIN_TOKEN: "t", QUEZTL_PORT: "9" };
    expect(flags([], env)).toMatchObject({ coordinatorUrl: "http://a:1/", joinToken: "t", port: 9 });
    expect(flags(["http://b:2"], env).coordinatorUrl).toBe("http://b:2/");
    expect(flags(["--coordinator", "https://c", "--join-token", "u", "--port", "0"], env)).toMatchObject({
      coordinatorUrl: "https://c/",
      joinToken: "u",
      port: 0,
    });
  });
  it("leave families and threads open unless told", () => {
    expect(flags([])).not.toHaveProperty("families");
    expect(flags([])).not.toHaveProperty("threads");
    expect(flags(["--families", "a, b,", "--threads", "0"])).toMatchObject({ families: ["a", "b"], threads: 0 });
  });
  it("tell a region, none, or leave it to the clock", () => {
    expect(flags([])).not.toHaveProperty("region");
    expect(flags(["--region", "eu-west-1"], { QUEZTL_REGION: "us-east-1" }).region).toBe("eu-west-1");
    expect(flags([], { QUEZTL_REGION: "none" }).region).toBeNull();
  });
  it("do not take the coordinator's port for the worker of its own", () => {
    expect(flags(["--with-parent"], { QUEZTL_PORT: "8000" }).port).toBeNull();
  });
  it.each([
    [["--threads", "-1"], /--threads/],
    [["--threads", "1.5"], /--threads/],
    [["--port", "70000"], /--port \/ QUEZTL_PORT/],
    [["ftp://x"], /--coordinator must be like http:\/\/host:8000; it is "ftp:\/\/x"/],
    [["localhost:8000"], /--coordinator/],
    [["http://a", "http://b"], /one word too many/],
    [["--region", "Atlantis"], /--region \/ QUEZTL_REGION must be us-east-1, .* or none; it is "Atlantis"/],
    [["--nonsense"], /--nonsense[\s\S]*Usage/],
  ])("refuse %j", (argv, message) => {
    expect(() => flagsOf(argv, {})).toThrow(message);
  });
  it("do not repeat a token in an error", () => {
    expect(() => flagsOf(["--join-token", "s3cret", "--nonsense"], {})).toThrow(/^(?![\s\S]*s3cret)/);
  });
});

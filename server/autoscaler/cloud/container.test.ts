/** What a container runs, as a process: it fetches the worker, hands its arguments and signals on, and ends as it does. */
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { containerCommand } from "./container.ts";
import { instanceName } from "./each.ts";

const worker = `
console.log(JSON.stringify(process.argv.slice(2)));
process.on("SIGTERM", () => { console.log("leases handed back"); process.exit(3); });
setInterval(() => {}, 1000);
`;

it("fetches the worker, starts it, and ends with it", async () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    // A coordinator that is still starting.
    response.writeHead(asked++ === 0 ? 503 : 200);
    response.end(worker);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const boot = { coordinatorUrl: `${url}/`, joinToken: "t", lifetimeMs: 60_000, silenceMs: 30_000 };
  const [, ...args] = containerCommand(boot, "n-1");
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (data: Buffer) => {
    said += data.toString();
  });
  await expect.poll(() => said, { timeout: 10_000 }).toContain("]");
  const rest = ["--data", "/tmp/queztl", "--name", "instance n-1", "--end-after", "60", "--end-if-silent", "30"];
  expect(JSON.parse(said)).toEqual(["--coordinator", url, ...rest]);
  child.kill("SIGTERM");
  const code = await new Promise((resolve) => child.once("exit", resolve));
  expect([code, said.includes("leases handed back")]).toEqual([3, true]);
  server.close();
}, 20_000);

it("has names that fit every engine, the same for the same order", () => {
  const token = "o".repeat(64);
  expect(instanceName({ token }, 49)).toMatch(/^queztl-[0-9a-f]{20}-49$/);
  expect(instanceName({ token }, 1)).toBe(instanceName({ token }, 1));
  expect(instanceName({ token: "other" }, 1)).not.toBe(instanceName({ token }, 1));
});

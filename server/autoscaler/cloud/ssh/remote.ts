/**
 * A shell on another machine, by the system's own `ssh`: its keys, its known hosts, its configuration. Scripts are POSIX
 * and come by standard input, so nothing of them is in the arguments of a process.
 */
import { spawn } from "node:child_process";
import { CloudError } from "../provider.ts";

export interface Remote {
  /** Standard output. Throws CloudError: `unavailable` where the machine cannot be reached, `unknown` where it did not answer in time. */
  run(host: string, script: string): Promise<string>;
}

const outputMax = 1 << 20;

export class Ssh implements Remote {
  constructor(
    private readonly command = "ssh",
    private readonly timeoutMs = 20_000,
  ) {}

  run(host: string, script: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const args = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=8", "-o", "ServerAliveInterval=5", host, "sh", "-s"];
      const child = spawn(this.command, args, { stdio: "pipe" });
      let out = "";
      let said = "";
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new CloudError("unknown", `${host} did not answer within ${this.timeoutMs / 1000} s.`));
      }, this.timeoutMs);
      child.stdout.on("data", (data: Buffer) => {
        if (out.length < outputMax) out += data.toString();
      });
      child.stderr.on("data", (data: Buffer) => {
        said = (said + data.toString()).slice(-500);
      });
      child.on("error", (cause) => {
        clearTimeout(timer);
        reject(
          new CloudError(
            "unauthorized",
            `${this.command} cannot be run: ${cause.message}. Install OpenSSH's client.`,
            null,
            { cause },
          ),
        );
      });
      child.on("close", (code) => {
        clearTimeout(timer);
        if (code === 0) resolve(out);
        else reject(failure(host, code, said.trim().split("\n").at(-1) ?? ""));
      });
      child.stdin.on("error", () => {});
      child.stdin.end(script);
    });
  }
}

/** ssh itself ends with 255; anything else is the script's. */
function failure(host: string, code: number | null, said: string): CloudError {
  if (code !== 255) return new CloudError("invalid", `${host}: ${said || `the script ended with ${code}`}`);
  if (/permission denied|host key verification|no such identity|authentication/i.test(said))
    return new CloudError("unauthorized", `${host}: ${said}`);
  return new CloudError("unavailable", `${host} cannot be reached: ${said}`);
}

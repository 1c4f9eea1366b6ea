/** Listens on a port, or on the next free one, and says who has it. */
import { execFile } from "node:child_process";
import type { Server } from "node:http";

/** Resolves with the port. Rejects with a sentence when a named port is taken, or none is free. */
export async function listen(
  server: Server,
  host: string,
  port: number,
  named: boolean,
  say: (line: string) => void,
): Promise<number> {
  for (let candidate = port; candidate < port + 20; candidate++) {
    const error = await tryListen(server, host, candidate);
    if (!error) {
      const address = server.address();
      return typeof address === "object" && address !== null ? address.port : candidate;
    }
    if (error.code === "EACCES")
      throw new Error(`Port ${candidate} needs more rights. Use --port with one above 1023.`);
    if (error.code !== "EADDRINUSE") throw error;
    const owner = await ownerOf(candidate);
    if (named) throw new Error(`Port ${candidate} is taken${owner}. Stop that, or use --port with another.`);
    say(`Port ${candidate} is taken${owner}; trying ${candidate + 1}.`);
  }
  throw new Error(`Ports ${port} to ${port + 19} are all taken. Use --port with a free one.`);
}

function tryListen(server: Server, host: string, port: number): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      server.off("listening", onListening);
      resolve(error);
    };
    const onListening = (): void => {
      server.off("error", onError);
      resolve(null);
    };
    server.once("error", onError);
    server.once("listening", onListening);
    server.listen(port, host);
  });
}

/** " by node (pid 123)", or "" where this machine does not tell. */
async function ownerOf(port: number): Promise<string> {
  const probes: [string, string[], RegExp][] =
    process.platform === "win32"
      ? [["netstat", ["-ano", "-p", "tcp"], new RegExp(`:${port}\\s.*LISTENING\\s+(?<pid>\\d+)`)]]
      : [
          ["ss", ["-ltnp", `sport = :${port}`], /users:\(\("(?<name>[^"]+)",pid=(?<pid>\d+)/],
          ["lsof", ["-nP", `-iTCP:${port}`, "-sTCP:LISTEN", "-Fpc"], /p(?<pid>\d+)\nc(?<name>.+)/],
        ];
  for (const [command, args, pattern] of probes) {
    const groups = pattern.exec(await run(command, args))?.groups;
    if (groups?.pid) return ` by ${groups.name ?? "process"} (pid ${groups.pid})`;
  }
  return "";
}

function run(command: string, args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 2_000 }, (_error, stdout) => resolve(stdout));
  });
}

/** The faulty disk itself: that it takes back what was not synced, and nothing else. */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { randomOf } from "./process.ts";
import { buildShim, FaultyDisk } from "./shim.ts";

const shim = buildShim();
if ("reason" in shim) console.warn(`Power cuts are not tested: ${shim.reason}.`);

describe.skipIf("reason" in shim)("a faulty disk", () => {
  let disk: FaultyDisk;
  beforeEach(() => {
    disk = new FaultyDisk();
  });
  afterEach(() => disk.remove());

  /** Runs statements over `fs` in the folder, and ends without any good-bye. Resolves with what was printed. */
  function run(code: string): Promise<string> {
    const script = `const fs = require("node:fs"); process.chdir(${JSON.stringify(disk.folder)});
      const sync = (name) => { const fd = fs.openSync(name, "r"); fs.fsyncSync(fd); fs.closeSync(fd); };
      const put = (name, text, at) => { const fd = fs.openSync(name, fs.existsSync(name) ? "r+" : "w");
        fs.writeSync(fd, text, at); fs.closeSync(fd); };
      ${code}; process.kill(process.pid, "SIGKILL");`;
    const child = spawn(process.execPath, ["-e", script], { env: { ...process.env, ...disk.env } });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        text += chunk;
      });
    }
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) =>
        signal === "SIGKILL" ? resolve(text) : reject(new Error(`${code} ${text}`)),
      );
    });
  }
  const text = (name: string): string => new TextDecoder().decode(disk.read(name));
  const names = (): string[] => (readdirSync(disk.folder, { recursive: true }) as string[]).sort();

  it("keeps what was synced and takes back what was not, byte for byte", async () => {
    await run(`put("a", "0123456789"); sync("a"); put("b", "bb"); sync("b"); sync(".");
      put("a", "XY", 3); put("a", "tail", 10); fs.truncateSync("a", 5); put("b", "BB", 1); sync("b");`);
    expect(text("a")).toBe("012XY");
    expect(disk.cutPower()).toEqual({ changes: 3, names: 0 });
    expect(text("a")).toBe("0123456789");
    expect(text("b")).toBe("bBB");
  });

  it("takes back names until their folder was synced", async () => {
    await run(`put("kept", "k"); sync("kept"); put("gone", "g"); sync("gone"); sync(".");
      put("new", "n"); sync("new"); fs.renameSync("kept", "moved"); fs.unlinkSync("gone"); fs.mkdirSync("d");
      put("d/x", "x"); sync("d/x"); sync("d");`);
    expect(names()).toEqual(["d", "d/x", "moved", "new"]);
    disk.cutPower();
    expect(names()).toEqual(["gone", "kept"]);
    expect(text("gone") + text("kept")).toBe("gk");
    await run(`fs.renameSync("kept", "moved"); fs.unlinkSync("gone"); put("new", "n"); sync("."); put("moved", "K");`);
    disk.cutPower();
    expect(names()).toEqual(["moved", "new"]);
    expect(text("moved") + text("new")).toBe("k");
  });

  it("gives back what a rename wrote over, and what opening anew cut off", async () => {
    await run(`put("a", "old"); put("b", "next"); put("c", "cut"); sync("a"); sync("b"); sync("c"); sync(".");
      fs.renameSync("b", "a"); fs.writeFileSync("c", "anew")`);
    expect(text("a") + text("c")).toBe("nextanew");
    disk.cutPower();
    expect([text("a"), text("b"), text("c")]).toEqual(["old", "next", "cut"]);
  });

  it("remembers over a restart without a power cut", async () => {
    await run(`put("a", "one"); sync("a"); sync("."); put("a", "two");`);
    await run(`put("a", "six", 3);`);
    disk.cutPower();
    expect(text("a")).toBe("one");
    await run(`put("a", "two");`);
    await run(`sync("a"); put("a", "!", 3);`);
    disk.cutPower();
    expect(text("a")).toBe("two");
  });

  it("lets some unsynced writes through when asked, and never a synced one go", async () => {
    await run(`put("a", "-".repeat(4096)); sync("a"); sync(".");
      for (let at = 0; at < 64; at++) put("a", "x".repeat(64), at * 64);
      const fd = fs.openSync("b", "w"); fs.writeSync(fd, "done"); fs.fsyncSync(fd); sync(".");`);
    const { changes } = disk.cutPower({ random: randomOf(1) });
    expect(changes).toBeGreaterThan(10);
    expect(changes).toBeLessThan(54);
    expect(text("a")).toMatch(/^(x{64}|-{64}){64}$/);
    expect(text("a")).toMatch(/x-|-x/);
    expect(text("b")).toBe("done");
  });

  it("is full after so many bytes of growth, and has room again when told", async () => {
    disk.set({ spaceBytes: 6 });
    const written = await run(`put("a", "1234"); fs.writeFileSync("b", "56");
      try { put("a", "78", 4) } catch (error) { console.log(error.code) }
      put("a", "ABCD"); sync("a"); sync(".");`);
    expect(written.trim()).toBe("ENOSPC");
    expect(text("a")).toBe("ABCD");
    disk.set({});
    await run(`put("a", "78", 4); sync("a")`);
    disk.cutPower();
    expect(text("a")).toBe("ABCD78");
  });

  it("loses for good what a failed sync had to write, unless it is written again", async () => {
    await run(`put("a", "aaaa"); put("b", "bbbb"); sync("a"); sync("b"); sync(".");`);
    disk.set({ failingSyncs: 2 });
    const written = await run(`put("a", "AA"); put("b", "BB");
      for (const name of ["a", "b"]) try { sync(name) } catch (error) { console.log(error.code) }
      put("b", "BBBB"); put("a", "!", 3); sync("a"); sync("b");`);
    expect(written.trim().split("\n")).toEqual(["EIO", "EIO"]);
    expect(text("a")).toBe("AAa!");
    disk.cutPower();
    expect(text("a")).toBe("aaa!");
    expect(text("b")).toBe("BBBB");
  });

  it("leaves alone what lies beside the folder", async () => {
    const beside = join(disk.folder, "..", "beside");
    writeFileSync(beside, "before");
    await run(`fs.writeFileSync("../beside", "after")`);
    expect(disk.cutPower()).toEqual({ changes: 0, names: 0 });
    expect(existsSync(beside)).toBe(true);
    expect(text("../beside")).toBe("after");
  });
});

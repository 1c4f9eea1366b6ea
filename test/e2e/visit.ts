/** What a volunteer does in a browser, the same in each: look, donate, lose the coordinator, stop, come back, leave. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobResult, JobView, NetworkStatus } from "../../protocol/rest.ts";
import { lanAddressesBestFirst } from "../../server/first-minutes/addresses.ts";
import { getJson, type RunningGrid, startGrid, submit, until } from "./grid-process.ts";
import type { OtherBrowser } from "./other-browsers.ts";

interface TabView {
  phase: string;
  trouble: { message: string } | null;
  nodeId: string | null;
  accepted: number;
  storedByBackend: { wasm: number };
  meters: { fraction: number }[];
}
type Page = Window & typeof globalThis & { queztl: { view: TabView } };

/** Bitcoin's block 0, and what oracle.c prints for its first nonces: see there. */
const genesis =
  "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";
const oracle = {
  nonces: 33_554_432,
  zeros: 14,
  count: 2041,
  nonce: 13_320_040,
  hash: "00000023c23d0afbedc03f8af514bc1e5c9d29b830b53e24f564e197480f881c",
};
const search = {
  workload_type: "crypto_mining",
  // Hard enough that nothing is found, and every nonce is searched.
  payload: { header: genesis, target: `${"0".repeat(24)}${"f".repeat(40)}`, nonce_start: 0, nonces: oracle.nonces },
  priority: 9,
};
const circle = { workload_type: "monte_carlo", payload: { iterations: 100_000_000 }, priority: 9 };
const endless = { workload_type: "monte_carlo", payload: { iterations: 1e12 }, priority: 5 };

const screenshots = fileURLToPath(new URL("../../test-results/", import.meta.url));
const lanAddress = lanAddressesBestFirst()[0]?.address;

/** Declares the tests of one browser. `name` names them and their pictures. */
export function visitsOf(name: string, start: () => Promise<OtherBrowser>): void {
  describe(`a volunteer's visit in ${name}`, () => {
    let grid: RunningGrid;
    let browser: OtherBrowser;
    beforeAll(async () => {
      mkdirSync(screenshots, { recursive: true });
      [grid, browser] = await Promise.all([startGrid(), start()]);
      console.log(`${name} is ${browser.name}`);
    }, 60_000);
    afterAll(async () => {
      await browser?.end();
      await grid?.end();
    });

    const view = (): Promise<TabView> =>
      browser.evaluate(() => JSON.parse(JSON.stringify((window as Page).queztl.view)) as TabView);
    const job = (id: string): Promise<JobView> => getJson(`${grid.url}/api/v1.2/workload/${id}`);
    const tabs = async (): Promise<NetworkStatus["nodes"]> =>
      (await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`)).nodes.filter(({ kind }) => kind === "tab");
    const held = async (): Promise<number> => (await tabs()).reduce((sum, { leases }) => sum + leases.length, 0);
    const shot = async (what: string): Promise<void> =>
      writeFileSync(join(screenshots, `${name}-${what}.png`), await browser.screenshot());

    // Between two pages there is nothing to ask.
    const ready = (): Promise<boolean> =>
      browser.evaluate(() => document.querySelector("[data-testid=donate-button]") !== null).catch(() => false);
    async function open(url: string): Promise<void> {
      await browser.goto(url);
      await until(ready, 30_000);
    }
    const textOf = (): Promise<{ help: string; able: string | undefined; missing: string }> =>
      browser.evaluate(() => {
        const find = (testId: string) => document.querySelector<HTMLElement>(`[data-testid=${testId}]`);
        const help = find("help");
        return { help: help?.innerText ?? "", able: help?.dataset.able, missing: find("missing")?.innerText ?? "" };
      });
    const computing = async (): Promise<boolean> => (await view()).meters.some(({ fraction }) => fraction > 0);

    /** Presses Stop, and gives the milliseconds until everything of the tab has ended. */
    async function stop(): Promise<void> {
      await browser.evaluate(() => {
        const since = (): void => {
          const startedMs = performance.now();
          const timer = setInterval(() => {
            if ((window as Page).queztl.view.phase !== "stopped") return;
            clearInterval(timer);
            Object.assign(window, { stoppedAfterMs: performance.now() - startedMs });
          }, 5);
        };
        document.querySelector("[data-testid=stop-button]")?.addEventListener("click", since, { once: true });
      });
      await browser.press("stop-button");
      const tookMs = (): Promise<number | null> =>
        browser.evaluate(() => (window as never as { stoppedAfterMs?: number }).stoppedAfterMs ?? null);
      await until(async () => (await tookMs()) !== null, 5_000);
      console.log(`${name}: stopped ${Math.round((await tookMs()) ?? 0)} ms after the press`);
      expect(await tookMs()).toBeLessThan(1_000);
      const { nodeId, meters } = await view();
      const node = async () => (await tabs()).find(({ node_id }) => node_id === nodeId);
      await until(async () => (await node())?.online === false, 2_000, grid.output);
      expect((await node())?.leases).toEqual([]);
      expect(meters).toEqual([]);
    }

    it("says what the browser offers before anything runs", async () => {
      await open(grid.url);
      const { help, able, missing } = await textOf();
      expect(able).toBe("true");
      expect(missing).toBe("");
      const has = await browser.evaluate(() => ({ gpu: "gpu" in navigator, isolated: crossOriginIsolated }));
      expect(has.isolated).toBe(true);
      expect(help).toContain("Shared memory and fine timers.");
      if (!has.gpu) {
        expect(help).toContain("Yes: with its processor.");
        expect(help).toContain("does not offer WebGPU");
      }
      expect((await view()).phase).toBe("stopped");
      expect(await tabs()).toEqual([]);
      await shot("donate");
    });

    it("computes a job right, though the coordinator is killed and started again", async () => {
      await browser.press("family-hashing");
      await browser.press("donate-button");
      await until(async () => (await tabs()).some(({ online }) => online), 20_000, grid.output);
      const id = await submit(grid, search);
      await until(async () => (await view()).storedByBackend.wasm > 0, 60_000, grid.output);
      await grid.killCoordinator();
      // It goes on with what it holds meanwhile.
      await until(async () => (await view()).trouble !== null, 10_000);
      const { nodeId, storedByBackend } = await view();
      await shot("disconnected");
      await grid.startAgain();
      // It comes back by itself, and goes on.
      await until(async () => (await view()).storedByBackend.wasm > storedByBackend.wasm, 60_000, grid.output);
      await shot("computing");
      expect(await view()).toMatchObject({ nodeId, trouble: null });
      // A volunteer's results count once an own node has audited some.
      const auditor = grid.worker({ own: true });
      await until(async () => (await job(id)).status === "completed", 120_000, grid.output);
      auditor.kill();

      const { progress, verification } = await job(id);
      console.log(`${name}: accepted slices are`, progress.slices_by_node_kind);
      expect(progress.slices_by_node_kind["tab:wasm"]).toBeGreaterThan(1);
      expect(progress.grains_accepted).toBe(progress.grains);
      expect(verification.audited_results).toBeGreaterThan(0);
      const { result } = await getJson<JobResult>(`${grid.url}/api/v1.2/workload/${id}/result`);
      checkAgainstOracle(result as SearchResult);
    }, 170_000);

    it("stops within a second, in the middle of computing", async () => {
      await submit(grid, endless);
      await until(computing, 20_000, grid.output);
      await stop();
      await shot("stopped");
    }, 60_000);

    it("is the same node after a reload, holds nothing once it has gone to another page, and asks when it is back", async () => {
      const { nodeId } = await view();
      await open(grid.url);
      await browser.press("donate-button");
      await until(async () => (await computing()) && (await held()) > 0, 20_000, grid.output);
      expect((await view()).nodeId).toBe(nodeId);
      // Workers that cannot be reached while the page goes: only its beacon is left to tell.
      await browser.evaluate(() => {
        const { postMessage } = Worker.prototype;
        const silence = (): void => {
          Worker.prototype.postMessage = () => {};
        };
        const restore = (): void => {
          Worker.prototype.postMessage = postMessage;
        };
        addEventListener("pagehide", silence, { capture: true });
        addEventListener("pageshow", restore, { capture: true });
      });
      await browser.goto("about:blank");
      const leftMs = performance.now();
      await until(async () => (await held()) === 0, 6_000);
      console.log(`${name}: freed ${Math.round(performance.now() - leftMs)} ms after the page was left`);

      // Back again, as it was or loaded anew: nothing runs before its owner says so.
      await browser.back();
      await until(ready, 30_000);
      expect((await view()).phase).toBe("stopped");
      expect(await held()).toBe(0);
      const kept = await browser.evaluate(() => document.querySelector("[data-testid=resume-button]") !== null);
      console.log(`${name}: ${kept ? "the page was kept, and asks before it resumes" : "the page was loaded anew"}`);
      await shot("back");
      await browser.press(kept ? "resume-button" : "donate-button");
      await until(async () => (await computing()) && (await held()) > 0, 20_000, grid.output);
      expect((await view()).nodeId).toBe(nodeId);
    }, 60_000);

    it.skipIf(lanAddress === undefined)(
      "computes over plain http on the LAN, and says what is missing",
      async () => {
        await open(grid.url.replace("localhost", lanAddress as string));
        const { able, missing } = await textOf();
        expect(able).toBe("true");
        for (const words of ["CPU only", "plain http", "--https"]) expect(missing).toContain(words);
        expect(await browser.evaluate(() => [isSecureContext, crypto.subtle === undefined])).toEqual([false, true]);
        await shot("lan");
        // Ahead of the endless one, whose earlier results would be audited first.
        const id = await submit(grid, circle);
        await browser.press("donate-button");
        await until(async () => (await view()).storedByBackend.wasm > 0, 60_000, grid.output);
        const auditor = grid.worker({ own: true });
        await until(async () => (await view()).accepted > 0, 90_000, grid.output);
        await until(async () => (await job(id)).status === "completed", 90_000, grid.output);
        auditor.kill();
        const { result } = await getJson<JobResult>(`${grid.url}/api/v1.2/workload/${id}/result`);
        expect((result as { estimate: number }).estimate).toBeCloseTo(Math.PI, 2);
        await until(computing, 20_000, grid.output);
        await stop();
      },
      170_000,
    );

    it("throws no error that nobody caught", ({ skip }) => {
      skip(browser.errors === undefined, "WebDriver does not tell of them");
      expect(browser.errors).toEqual([]);
    });
  });
}

interface SearchResult {
  found: boolean;
  hashes: number;
  shares: number;
  best: { nonce: number; hash: string };
}

function checkAgainstOracle(result: SearchResult): void {
  expect(result).toMatchObject({ found: false, hashes: oracle.nonces, shares: oracle.count });
  expect(result.best).toMatchObject({ nonce: oracle.nonce, hash: oracle.hash });
  // The system's own SHA-256 agrees on the best one.
  const header = Buffer.from(genesis, "hex");
  header.writeUInt32LE(result.best.nonce, 76);
  const once = createHash("sha256").update(header).digest();
  expect(createHash("sha256").update(once).digest().reverse().toString("hex")).toBe(oracle.hash);
}

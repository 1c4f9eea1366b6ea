/** The places with a GPU that conformance knows: Chromium, and Dawn in Node. Both do without hardware. */
import { fork, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Browser, Page } from "playwright";
import { hasWebGpuPackage, webGpuPackage } from "../run/node-gpu.ts";
import type { GpuReport, GpuWork } from "./gpu-requests.ts";
import { noSoftwareVulkan, softwareVulkan } from "./software-vulkan.ts";

export interface GpuPlace {
  name: string;
  run(work: GpuWork): Promise<GpuReport>;
  /** Kills the GPU's process under a running request, where the place can. */
  crash?(): Promise<void>;
  close(): Promise<void>;
}

/** Throws with the reason where there is no Chromium. */
export async function chromiumPlace(): Promise<GpuPlace> {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL("browser.worker.ts", import.meta.url))],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
  });
  const script = bundle.outputFiles[0]?.text as string;
  const server = createServer((request, response) => {
    const worker = request.url === "/worker.js";
    response.setHeader("content-type", worker ? "text/javascript" : "text/html");
    response.end(worker ? script : "<!doctype html><title>conformance</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    // A script of the repository's own, outside the kernels' type project.
    const scripts = (await import(new URL("../../scripts/chromium.mjs", import.meta.url).href)) as {
      launchChromium(options: { gpu: boolean }): Promise<Browser>;
    };
    const browser = await scripts.launchChromium({ gpu: true });
    const page = await browser.newPage();
    await page.goto(`http://localhost:${portOf(server)}/`);
    return { name: "Chromium", ...inPage(browser, page), close: () => closeBoth(browser, server) };
  } catch (error) {
    server.close();
    throw error;
  }
}

function inPage(browser: Browser, page: Page): Pick<GpuPlace, "run" | "crash"> {
  return {
    run: async (work) => {
      // Bytes cross as arrays of numbers: the page's arguments and answers are JSON.
      const answer = await page.evaluate(
        (given) =>
          new Promise<string>((resolve) => {
            const worker = new Worker("/worker.js", { type: "module" });
            worker.onmessage = (event) => {
              worker.terminate();
              resolve(
                JSON.stringify(event.data, (_key, value) =>
                  value instanceof Uint8Array ? { bytes: Array.from(value) } : value,
                ),
              );
            };
            worker.onerror = (event) => resolve(JSON.stringify({ ok: false, message: event.message }));
            worker.postMessage(given);
          }),
        work,
      );
      return JSON.parse(answer, (_key, value) =>
        typeof value === "object" && value !== null && "bytes" in value ? Uint8Array.from(value.bytes) : value,
      ) as GpuReport;
    },
    crash: async () => {
      const session = await browser.newBrowserCDPSession();
      await session.send("Browser.crashGpuProcess" as never);
    },
  };
}

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === "object" && address ? address.port : 0;
};

async function closeBoth(browser: Browser, server: Server): Promise<void> {
  await browser.close();
  server.close();
}

/** Installs the pinned package where it is missing. Throws with the reason where Dawn cannot run. */
export async function dawnPlace(): Promise<GpuPlace> {
  const enginesDir = fileURLToPath(new URL("../../.cache/engines", import.meta.url));
  installPackage(enginesDir);
  const vulkan = softwareVulkan();
  if (vulkan === null) throw new Error(noSoftwareVulkan);
  const child = fileURLToPath(new URL("dawn-child.ts", import.meta.url));
  return {
    name: "Dawn",
    run: (work) =>
      new Promise((resolve) => {
        const process_ = fork(child, [enginesDir], {
          execArgv: ["--import", "tsx"],
          serialization: "advanced",
          env: { ...process.env, ...vulkan },
        });
        process_.once("message", (report) => resolve(report as GpuReport));
        process_.once("exit", (code) => resolve({ ok: false, message: `The process ended with code ${code}.` }));
        process_.send(work);
      }),
    close: async () => {},
  };
}

function installPackage(enginesDir: string): void {
  if (hasWebGpuPackage(enginesDir)) return;
  mkdirSync(enginesDir, { recursive: true });
  const manifest = join(enginesDir, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, JSON.stringify({ private: true, name: "queztl-engines" }));
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const args = [
    "install",
    "--ignore-scripts",
    "--save-exact",
    "--no-audit",
    "--no-fund",
    `${webGpuPackage.name}@${webGpuPackage.version}`,
  ];
  const { status, stderr } = spawnSync(npm, args, {
    cwd: enginesDir,
    encoding: "utf8",
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error(`npm could not install ${webGpuPackage.name}: ${stderr.trim().split("\n").at(-1)}`);
}

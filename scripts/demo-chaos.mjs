/**
 * `npm run demo:chaos`: one job computed twice by two native workers, first undisturbed, then while the coordinator and
 * a node are killed (SIGKILL) and started again. Both must come to the same digits. In a temporary folder, on a free
 * port; leaves nothing behind. The grid runs with its short timings, so that it takes less than a minute.
 */
import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Program } from "./lib/program.mjs";
import { Explained } from "./lib/remedy.mjs";
import { setup } from "./setup.mjs";

/** Some five seconds of two plain cores, undisturbed. */
const DARTS = 2_000_000_000;
const SECONDS_MAX = 60;
const POLL_MS = 150;
/** How long what was killed stays away. */
const AWAY_MS = 1_500;

/** @typedef {{ status: string, grains: number, accepted: number, fraction: number }} Progress */
/** @typedef {{ hits: number, iterations: number, estimate: number }} Output */
/** @typedef {{ coordinator: Program, nodes: [Program, Program], url: string, deadline: number }} World */

const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
const shown = (/** @type {number} */ number) => number.toLocaleString("en");

/** @param {string[]} args */
export async function main(args) {
  const { values } = parseArgs({ args, options: { darts: { type: "string" } } });
  const darts = Number(values.darts ?? DARTS);
  if (!Number.isSafeInteger(darts) || darts < 1e6 || darts > 1e11) {
    throw new Explained(`--darts must be a whole number from 1e6 to 1e11; it is "${values.darts}".`);
  }
  await setup();
  const folder = mkdtempSync(join(tmpdir(), "queztl-demo-"));
  const world = await createWorld(folder);
  const programs = [world.coordinator, ...world.nodes];
  const tidy = async () => {
    await Promise.all(programs.map((program) => program.kill()));
    rmSync(folder, { recursive: true, force: true });
  };
  const interrupted = () => void tidy().then(() => process.exit(130));
  process.once("SIGINT", interrupted);
  process.once("SIGTERM", interrupted);
  try {
    return await play(world, folder, darts);
  } finally {
    process.off("SIGINT", interrupted);
    process.off("SIGTERM", interrupted);
    await tidy();
  }
}

/** @param {World} world @param {string} folder @param {number} darts */
async function play(world, folder, darts) {
  const startMs = performance.now();
  console.log(`A coordinator and two nodes, Ada and Bob, in ${folder}.\n`);
  await startCoordinator(world, true);
  for (const node of world.nodes) {
    // The token is made by the coordinator's first start.
    node.env.QUEZTL_JOIN_TOKEN = JSON.parse(readFileSync(join(folder, "data", "secrets.json"), "utf8")).joinToken;
    node.start();
  }
  const payload = { iterations: darts, seed: randomInt(2 ** 31) };
  console.log(`1. ${shown(darts)} darts for pi, seed ${payload.seed}, undisturbed:`);
  const quiet = await compute(world, payload, []);
  console.log("\n2. The same job, while the coordinator and a node are killed:");
  const [, bob] = world.nodes;
  const disturbed = await compute(world, payload, [
    { at: 0.2, victim: world.coordinator, restart: () => startCoordinator(world, false) },
    { at: 0.5, victim: bob, restart: async () => bob.start() },
  ]);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  return verdict(quiet, disturbed, darts, seconds);
}

/** @param {Output} quiet @param {Output} disturbed @param {number} darts @param {string} seconds */
function verdict(quiet, disturbed, darts, seconds) {
  console.log(`\n  undisturbed  ${shown(quiet.hits)} hits in ${shown(quiet.iterations)} darts, pi = ${quiet.estimate}`);
  console.log(
    `  disturbed    ${shown(disturbed.hits)} hits in ${shown(disturbed.iterations)} darts, pi = ${disturbed.estimate}\n`,
  );
  if (disturbed.iterations !== darts || disturbed.hits !== quiet.hits) {
    console.error("The results differ. This is a defect: please report it with the lines above.");
    return 1;
  }
  console.log(`Nothing was lost: every dart was counted once, and the digits are the same (${seconds} s).`);
  return 0;
}

/** @param {string} folder @returns {Promise<World>} */
async function createWorld(folder) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  // What the user has set for a coordinator of theirs is not meant for this one.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^QUEZTL_|^INVOCATION_ID$/.test(name)),
  );
  const flags = ["--json", "--host", "127.0.0.1", "--port", String(port), "--data", join(folder, "data")];
  const coordinator = new Program(
    "the coordinator",
    ["--import", "tsx", "server/main.ts", ...flags, "--no-worker", "--no-demo", "--no-open"],
    { ...env, QUEZTL_TEST_TIMING: "fast" },
  );
  const node = (/** @type {string} */ name) => {
    const own = ["--coordinator", url, "--name", name, "--data", join(folder, name), "--threads", "1", "--no-gpu"];
    return new Program(name, [join("dist", "worker.mjs"), ...own], { ...env });
  };
  return { coordinator, nodes: [node("Ada"), node("Bob")], url, deadline: performance.now() + SECONDS_MAX * 1000 };
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** @param {World} world @param {boolean} wait until it answers */
async function startCoordinator(world, wait) {
  world.coordinator.start();
  while (wait && (await ask(world, "/api/health")) === null) await pause(world);
}

/** A moment of time; throws when there is none left, or when a program ended by itself. @param {World} world */
async function pause({ coordinator, nodes, deadline }) {
  const failed = [coordinator, ...nodes].find((program) => program.failed);
  if (failed) throw new Explained(`${failed.name} ended by itself:\n${failed.output.trim()}`);
  if (performance.now() > deadline) {
    throw new Explained(
      `It did not end within ${SECONDS_MAX} s. This machine is slow or busy: try fewer, as --darts 500000000.`,
    );
  }
  await sleep(POLL_MS);
}

/** The answer's body; null while nobody answers. @param {World} world @param {string} path @param {unknown} [body] */
async function ask({ url }, path, body) {
  try {
    const init =
      body === undefined
        ? {}
        : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(2_000) });
    return response.ok ? await response.json() : null;
  } catch {
    return null;
  }
}

/**
 * Submits the job, kills what `blows` say once that part of it is accepted, and resolves with the result.
 * @param {World} world
 * @param {unknown} payload
 * @param {{ at: number, victim: Program, restart: () => Promise<void> }[]} blows
 * @returns {Promise<Output>}
 */
async function compute(world, payload, blows) {
  /** @type {{ task_id: string } | null} */
  let job = null;
  while (job === null) {
    await pause(world);
    job = await ask(world, "/api/v1.2/workload/submit", { workload_type: "monte_carlo", payload });
  }
  const path = `/api/v1.2/workload/${job.task_id}`;
  const waiting = [...blows];
  let progress = /** @type {Progress} */ ({ status: "queued", grains: 0, accepted: 0, fraction: 0 });
  for (;;) {
    await pause(world);
    progress = (await progressOf(world, path)) ?? progress;
    draw(world, progress);
    if (progress.status === "completed") break;
    if (!["queued", "running"].includes(progress.status)) throw new Explained(`The job is ${progress.status}.`);
    if (progress.fraction >= (waiting[0]?.at ?? 2)) await strike(world, progress, waiting.shift());
  }
  line("");
  if (waiting.length > 0)
    throw new Explained("The job ended before anything could be killed: try more, as --darts 10000000000.");
  /** @type {{ result: Output } | null} */
  let answer = null;
  while (answer === null) {
    await pause(world);
    answer = await ask(world, `${path}/result`);
  }
  return answer.result;
}

/** @param {World} world @param {string} path @returns {Promise<Progress | null>} */
async function progressOf(world, path) {
  const view = await ask(world, path);
  if (view === null) return null;
  const { fraction, grains, grains_accepted: accepted } = view.progress;
  return { status: view.status, grains, accepted, fraction };
}

/** @param {World} world @param {Progress} progress @param {{ victim: Program, restart: () => Promise<void> } | undefined} blow */
async function strike(world, progress, blow) {
  if (!blow) return;
  const { victim, restart } = blow;
  const { pid } = victim;
  await victim.kill();
  line(`     kill -9 ${pid}: ${victim.name} is gone, ${progress.accepted} of ${progress.grains} grains accepted`);
  for (const endMs = performance.now() + AWAY_MS; performance.now() < endMs; ) {
    await pause(world);
    draw(world, progress);
  }
  await restart();
  line(`     ${victim.name} starts again, as process ${victim.pid}`);
}

let lastDrawn = "";

/** The live line: redrawn on a terminal, and printed when it changes elsewhere. @param {World} world @param {Progress} progress */
function draw({ coordinator, nodes }, { fraction, status }) {
  const width = 30;
  const filled = Math.round(width * fraction);
  const up = [coordinator, ...nodes].map(({ name, isUp }) => `${name.replace("the ", "")} ${isUp ? "up" : "KILLED"}`);
  const percent = `${Math.floor(fraction * 100)}%`.padStart(4);
  const text = `   [${"#".repeat(filled)}${"-".repeat(width - filled)}] ${percent} ${status}   ${up.join(", ")}`;
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}`);
  else if (text !== lastDrawn) console.log(text);
  lastDrawn = text;
}

/** A line that stays. @param {string} text */
function line(text) {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${text}${text === "" ? `${lastDrawn}\n` : "\n"}`);
  else if (text !== "") console.log(text);
}

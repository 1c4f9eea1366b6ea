/**
 * One set-up at a time in a working copy. The lock is a file that its owner touches every few seconds; a second set-up
 * waits for it and says so, and takes it over only when the owner is gone.
 */
import { mkdir, open, readFile, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";

/**
 * How often the owner touches the file, how often a waiter looks, and for how long a file must stay untouched, on the
 * waiter's own count of looks, before its owner is taken for dead. A laptop that slept stops both counts alike.
 */
const DEFAULTS = { touchMs: 2_000, pollMs: 250, silentPolls: 60 };

/** @typedef {{ touchMs?: number, pollMs?: number, silentPolls?: number, onWait?: (pid: number) => void }} LockOptions */

/**
 * Waits until the lock is ours, and returns the function that releases it.
 * @param {string} path
 * @param {LockOptions} [options]
 * @returns {Promise<() => Promise<void>>}
 */
export async function acquireLock(path, options = {}) {
  const { touchMs, pollMs, silentPolls } = { ...DEFAULTS, ...options };
  await mkdir(dirname(path), { recursive: true });
  let told = false;
  let seen = "";
  let unchanged = 0;
  for (;;) {
    if (await create(path)) return hold(path, touchMs);
    const holder = await look(path);
    if (holder === null) continue;
    unchanged = holder.mark === seen ? unchanged + 1 : 0;
    seen = holder.mark;
    if (holder.dead || unchanged >= silentPolls) {
      await remove(path, holder.mark);
      continue;
    }
    if (!told) {
      told = true;
      options.onWait?.(holder.pid);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** @param {string} path */
async function create(path) {
  try {
    const file = await open(path, "wx");
    await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
    await file.close();
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") return false;
    throw error;
  }
}

/**
 * Who holds the lock. `mark` changes with every touch and every new owner.
 * @param {string} path
 */
async function look(path) {
  try {
    const [text, info] = [await readFile(path, "utf8"), await stat(path)];
    const { pid, host } = text === "" ? { pid: 0, host: "" } : JSON.parse(text);
    return { pid, dead: pid > 0 && host === hostname() && !alive(pid), mark: `${info.ino}:${info.mtimeMs}:${text}` };
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "ENOENT") return null;
    // A file that is being written reads as half a JSON text: its owner has the time of `silentPolls` to finish.
    if (error instanceof SyntaxError) return { pid: 0, dead: false, mark: "unreadable" };
    throw error;
  }
}

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

/**
 * Removes a dead owner's file. Two waiters may come to this at once, and the slower one must not remove the lock that
 * the faster one has just taken: only who holds the second file looks again and removes.
 * @param {string} path
 * @param {string} mark
 */
async function remove(path, mark) {
  const second = `${path}.takeover`;
  if (!(await create(second))) {
    const info = await stat(second).catch(() => null);
    if (info && Date.now() - info.mtimeMs > 10_000) await rm(second, { force: true });
    await new Promise((resolve) => setTimeout(resolve, 50));
    return;
  }
  try {
    const holder = await look(path);
    if (holder?.mark === mark) await rm(path, { force: true });
  } finally {
    await rm(second, { force: true });
  }
}

/**
 * @param {string} path
 * @param {number} touchMs
 */
function hold(path, touchMs) {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, touchMs);
  timer.unref();
  let held = true;
  return async () => {
    // Once only: by the second time the file may be another's.
    if (!held) return;
    held = false;
    clearInterval(timer);
    await rm(path, { force: true });
  };
}

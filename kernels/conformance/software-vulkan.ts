/** Vulkan on the CPU, as Chromium brings it, for Dawn in Node: driver and loader lie beside the browser. */
import { existsSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

const DRIVER = "vk_swiftshader_icd.json";

/** In words, for who has none. */
export const noSoftwareVulkan = `there is no software driver for Vulkan beside Chromium (${DRIVER})`;

/**
 * The variables that lead a process to it, or null where there is none (or not on Linux, whose loader reads them).
 * The machine's own loader may be missing: Debian's Chromium no longer brings it, but carries one for itself.
 */
export function softwareVulkan(): Record<string, string> | null {
  const { env } = process;
  if (process.platform !== "linux") return null;
  const folder = [dirname(env.QUEZTL_CHROMIUM ?? "/usr/lib/chromium/chromium"), "/usr/lib/chromium"].find((place) =>
    existsSync(join(place, DRIVER)),
  );
  if (folder === undefined) return null;
  const libraries = env.LD_LIBRARY_PATH ? `${env.LD_LIBRARY_PATH}${delimiter}${folder}` : folder;
  return { VK_DRIVER_FILES: join(folder, DRIVER), LD_LIBRARY_PATH: libraries };
}

/** What this machine is. Every probe has a time limit, and what is not known is null. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { hasSimd } from "../kernels/run/wasm.ts";
import type { Capabilities } from "../protocol/messages.ts";

export interface GpuDescription {
  /** Null where the system tells the memory only. */
  name: string | null;
  vramBytes: number | null;
}

/** The machine as the probes see it; tests bring another. */
export interface Machine {
  platform: NodeJS.Platform;
  arch: string;
  /** Where /proc and /sys are. */
  root: string;
  /** Output of a program; "" when it is not there, fails, or takes too long. */
  run(command: string, args: readonly string[]): Promise<string>;
}

const probeMsMax = 4_000;

export const thisMachine: Machine = {
  platform: platform(),
  arch: arch(),
  root: "/",
  run: (command, args) =>
    new Promise((resolve) => {
      execFile(command, [...args], { timeout: probeMsMax, windowsHide: true, killSignal: "SIGKILL" }, (error, stdout) =>
        resolve(error ? "" : stdout),
      );
    }),
};

export async function describeMachine(version: string, machine: Machine = thisMachine): Promise<Capabilities> {
  const model = cpus()[0]?.model.trim();
  return {
    kind: "native",
    software: `Queztl worker ${version}, Node ${process.versions.node}`.slice(0, 500),
    platform: `${platform()} ${arch()} ${release()}`.slice(0, 200),
    cpu: { model: model && model !== "unknown" ? model.slice(0, 500) : null, cores: availableParallelism() },
    ramBytes: await memoryBytes(machine),
    wasm: { simd: hasSimd(), threads: true },
    gpu: null,
    accelerators: await accelerators(machine),
    engines: [],
  };
}

/** The machine's memory, or the container's limit where that is lower. */
export async function memoryBytes({ root }: Pick<Machine, "root">): Promise<number> {
  for (const file of ["sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"]) {
    const bytes = Number(await text(join(root, file)));
    if (bytes > 0 && bytes < totalmem()) return bytes;
  }
  return totalmem();
}

/** The GPU as the system names it, with its memory; Dawn tells no memory. Null where nothing tells. */
export async function describeGpu(machine: Machine = thisMachine): Promise<GpuDescription | null> {
  const found = await nvidiaSmi(machine);
  if (found) return found;
  if (machine.platform === "linux") return (await nvidiaProc(machine)) ?? (await amdSysfs(machine));
  if (machine.platform === "darwin") return apple(machine);
  return machine.platform === "win32" ? windows(machine) : null;
}

async function nvidiaSmi({ run }: Machine): Promise<GpuDescription | null> {
  const said = await run("nvidia-smi", ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]);
  const match = /^(?<name>[^,\n]+),\s*(?<mib>\d+)\s*$/m.exec(said);
  if (!match?.groups) return null;
  return { name: match.groups.name as string, vramBytes: Number(match.groups.mib) * 2 ** 20 };
}

/** NVIDIA's driver names its cards without nvidia-smi, but not their memory. */
async function nvidiaProc({ root }: Machine): Promise<GpuDescription | null> {
  const folder = join(root, "proc/driver/nvidia/gpus");
  for (const card of await list(folder)) {
    const name = /^Model:\s*(.+)$/m.exec(await text(join(folder, card, "information")))?.[1];
    if (name) return { name: name.trim(), vramBytes: null };
  }
  return null;
}

/** AMD's driver tells the memory in sysfs; newer ones also the product's name. */
async function amdSysfs({ root }: Machine): Promise<GpuDescription | null> {
  const folder = join(root, "sys/class/drm");
  for (const card of (await list(folder)).filter((name) => /^card\d+$/.test(name)).sort()) {
    const device = join(folder, card, "device");
    const vramBytes = Number((await text(join(device, "mem_info_vram_total"))).trim());
    if (!(vramBytes > 0)) continue;
    const name = (await text(join(device, "product_name"))).trim();
    return { name: name || null, vramBytes };
  }
  return null;
}

/** Apple's own GPUs share the machine's memory, so they have no figure of their own. */
async function apple({ run }: Machine): Promise<GpuDescription | null> {
  const said = parsed<{ SPDisplaysDataType?: { sppci_model?: string }[] }>(
    await run("system_profiler", ["SPDisplaysDataType", "-json"]),
  );
  const name = said?.SPDisplaysDataType?.[0]?.sppci_model;
  return name ? { name, vramBytes: null } : null;
}

/** Windows' AdapterRAM is a 32-bit field, wrong for every GPU with 4 GiB or more, so it is not used. */
async function windows({ run }: Machine): Promise<GpuDescription | null> {
  const script = "Get-CimInstance Win32_VideoController | Select-Object -First 1 Name | ConvertTo-Json";
  const said = parsed<{ Name?: string }>(
    await run("powershell.exe", ["-NoProfile", "-NonInteractive", "-Command", script]),
  );
  return said?.Name ? { name: said.Name, vramBytes: null } : null;
}

export async function accelerators(machine: Machine): Promise<string[]> {
  const found: string[] = [];
  // Every Apple chip for Macs has a Neural Engine.
  if (machine.platform === "darwin" && machine.arch === "arm64") found.push("apple-ane");
  if (machine.platform === "linux" && (await hasCoral(machine))) found.push("coral-usb");
  return found;
}

/** Google's Coral: 1a6e:089a before its firmware is loaded, 18d1:9302 after. */
async function hasCoral({ root }: Machine): Promise<boolean> {
  const folder = join(root, "sys/bus/usb/devices");
  for (const name of await list(folder)) {
    const ids = await Promise.all(["idVendor", "idProduct"].map((file) => text(join(folder, name, file))));
    if (["1a6e:089a", "18d1:9302"].includes(ids.map((id) => id.trim()).join(":"))) return true;
  }
  return false;
}

const text = (file: string): Promise<string> => readFile(file, "utf8").catch(() => "");
const list = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);

function parsed<T>(json: string): T | null {
  try {
    return JSON.parse(json) as T;
  } catch {
    return null;
  }
}

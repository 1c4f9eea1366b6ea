/** What this machine is. Every probe has a time limit, and what is not known is null. */
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import type { Capabilities } from "../protocol/messages.ts";

export interface GpuDescription {
  name: string;
  vramBytes: number | null;
}

const probeMsMax = 4_000;

export async function describeMachine(version: string): Promise<Capabilities> {
  return {
    kind: "native",
    software: `Queztl worker ${version}, Node ${process.versions.node}`,
    platform: `${platform()} ${arch()} ${release()}`.slice(0, 200),
    cpu: { model: cpus()[0]?.model.trim() || null, cores: availableParallelism() },
    ramBytes: totalmem(),
    wasm: { simd: true, threads: true },
    gpu: null,
    accelerators: await accelerators(),
    engines: [],
  };
}

/** The GPU as the system names it, with its memory; Dawn tells neither. */
export async function describeGpu(): Promise<GpuDescription | null> {
  return (
    (await nvidia()) ??
    (platform() === "darwin" ? await apple() : null) ??
    (platform() === "win32" ? await windows() : null)
  );
}

async function nvidia(): Promise<GpuDescription | null> {
  const text = await run("nvidia-smi", ["--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]);
  const match = /^(?<name>[^,]+),\s*(?<mib>\d+)/m.exec(text);
  if (!match?.groups) return null;
  return { name: match.groups.name as string, vramBytes: Number(match.groups.mib) * 2 ** 20 };
}

/** Apple's GPUs share the machine's memory, so their own is not a figure of its own. */
async function apple(): Promise<GpuDescription | null> {
  const text = await run("system_profiler", ["SPDisplaysDataType", "-json"]);
  try {
    const [first] = (JSON.parse(text) as { SPDisplaysDataType: { sppci_model?: string }[] }).SPDisplaysDataType;
    return first?.sppci_model ? { name: first.sppci_model, vramBytes: null } : null;
  } catch {
    return null;
  }
}

async function windows(): Promise<GpuDescription | null> {
  const script = "Get-CimInstance Win32_VideoController | Select-Object -First 1 Name | ConvertTo-Json";
  const text = await run("powershell.exe", ["-NoProfile", "-NonInteractive", "-Command", script]);
  try {
    const { Name } = JSON.parse(text) as { Name?: string };
    // AdapterRAM is a 32-bit field, wrong for every GPU with 4 GiB or more, so it is not used.
    return Name ? { name: Name, vramBytes: null } : null;
  } catch {
    return null;
  }
}

async function accelerators(): Promise<string[]> {
  const found: string[] = [];
  // Every Apple chip for Macs has a Neural Engine.
  if (platform() === "darwin" && arch() === "arm64") found.push("apple-ane");
  if (await hasCoral("/sys/bus/usb/devices")) found.push("coral-usb");
  return found;
}

/** Google's Coral: 1a6e:089a before its firmware is loaded, 18d1:9302 after. Linux only. */
export async function hasCoral(devices: string): Promise<boolean> {
  const names = await readdir(devices).catch(() => []);
  for (const name of names) {
    const [vendor, product] = await Promise.all(
      ["idVendor", "idProduct"].map((file) => readFile(join(devices, name, file), "utf8").catch(() => "")),
    );
    const id = `${vendor?.trim()}:${product?.trim()}`;
    if (id === "1a6e:089a" || id === "18d1:9302") return true;
  }
  return false;
}

function run(command: string, args: string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: probeMsMax, windowsHide: true }, (error, stdout) =>
      resolve(error ? "" : stdout),
    );
  });
}

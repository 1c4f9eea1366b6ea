/** Opens the page in the user's browser, where there is a user and a browser. */
import { spawn } from "node:child_process";

/** Where the coordinator was started. */
export interface Desk {
  platform: NodeJS.Platform;
  ci: boolean;
  /** Through a far shell: a browser would open on a screen that the user does not see. */
  ssh: boolean;
  /** X11 or Wayland. */
  display: boolean;
  /** Linux under Windows, whose browser is the one of Windows. */
  wsl: boolean;
}

/** The command that opens `url`, or null where nobody would see it. */
export function openCommand(url: string, desk: Desk): [program: string, ...args: string[]] | null {
  if (desk.ci || desk.ssh) return null;
  if (desk.platform === "win32" || desk.wsl) return ["cmd.exe", "/d", "/c", "start", "", url];
  if (desk.platform === "darwin") return ["open", url];
  return desk.display ? ["xdg-open", url] : null;
}

/** Returns whether it was tried. A browser that does not open is no failure: the address is in the terminal. */
export function openBrowser(url: string, desk: Desk): boolean {
  const command = openCommand(url, desk);
  if (command === null) return false;
  const [program, ...args] = command;
  const child = spawn(program, args, { stdio: "ignore", detached: true, windowsHide: true });
  child.on("error", () => {});
  child.unref();
  return true;
}

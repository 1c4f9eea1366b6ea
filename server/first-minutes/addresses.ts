/** Under which address other devices reach this machine. */
import { networkInterfaces } from "node:os";

export interface LanAddress {
  address: string;
  /** Of the network interface, as "eth0". */
  device: string;
}

/** Networks inside this machine: containers, virtual machines, and Apple's own radio links. */
const inner =
  /^(?:docker|br-|veth|virbr|vmnet|vboxnet|vnic|vEthernet|lxc|lxd|cni|flannel|cali|podman|kube|bridge\d|awdl|llw)/i;
/** Private networks between chosen machines: reachable, but only by those that have joined. */
const tunnel = /^(?:tun|tap|utun|wg|tailscale|zt|ppp|ipsec|nebula)/i;

/**
 * IPv4 addresses of this machine, the best for another device first: wires and radio before tunnels, and of those
 * home networks before large private ones before public ones. What is inside this machine is left out, unless
 * there is nothing else. IPv6 is left out: its addresses change by the day, and few can type one.
 */
export function lanAddressesBestFirst(
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): LanAddress[] {
  const all = Object.entries(interfaces).flatMap(([device, addresses]) =>
    (addresses ?? [])
      .filter(({ family, internal, address }) => family === "IPv4" && !internal && !address.startsWith("169.254."))
      .map(({ address }) => ({ address, device })),
  );
  const outer = all.filter(({ device }) => !inner.test(device));
  // Array.sort is stable: the system's own order decides between equals.
  return (outer.length > 0 ? outer : all).sort((a, b) => rank(a) - rank(b));
}

function rank({ address, device }: LanAddress): number {
  const [a = 0, b = 0] = address.split(".").map(Number);
  const network = a === 192 && b === 168 ? 0 : a === 10 ? 1 : a === 172 && b >= 16 && b < 32 ? 2 : 3;
  return network + (tunnel.test(device) ? 10 : 0);
}

/**
 * Wake-on-LAN: a network card that is left powered starts its machine at a "magic packet" (AMD, publication 20213, 1995),
 * which is six bytes of 0xff and sixteen times the card's address, anywhere in a frame; by custom UDP to port 9.
 */
import { createSocket } from "node:dgram";

/** Sends the packet that wakes the machine of this card. Rejects where it cannot be sent; nobody answers it. */
export type Wake = (mac: string) => Promise<void>;

export const macPattern = /^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i;

/** `target`: the address to send to, with a port where it is not 9. Throws Error with the remedy. */
export function wakeBy(target = "255.255.255.255"): Wake {
  const match = /^(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?$/.exec(target);
  const port = Number(match?.[2] ?? 9);
  if (!match?.[1] || port < 1 || port > 65_535)
    throw new Error(
      `QUEZTL_SSH_WAKE is "${target}": write the network's broadcast address, as 192.168.1.255 or 192.168.1.255:9.`,
    );
  const address = match[1];
  return (mac) =>
    new Promise((resolve, reject) => {
      const socket = createSocket("udp4");
      const end = (error?: Error | null) => {
        socket.close();
        if (error) reject(error);
        else resolve();
      };
      socket.once("error", end);
      socket.bind(0, () => {
        socket.setBroadcast(true);
        socket.send(magicPacket(mac), port, address, end);
      });
    });
}

export function magicPacket(mac: string): Buffer {
  const card = Buffer.from(mac.replace(/[:-]/g, ""), "hex");
  return Buffer.concat([Buffer.alloc(6, 0xff), ...Array.from({ length: 16 }, () => card)]);
}

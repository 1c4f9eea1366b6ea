/**
 * How many sockets of nodes may be open, by network (an IPv4 /24, an IPv6 /48): a flood of one network leaves room for
 * the others, and sockets that have not said who they are are few. This machine's own are not counted by network, save
 * those that say nothing.
 */

export interface GateLimits {
  /** In all. */
  socketsMax: number;
  networkSocketsMax: number;
  /** That have yet to say hello; each may take five seconds. */
  silentMax: number;
  networkSilentMax: number;
}

export const gateLimits: GateLimits = {
  socketsMax: 20_000,
  networkSocketsMax: 2_000,
  silentMax: 4_096,
  networkSilentMax: 1_024,
};

interface Counts {
  open: number;
  silent: number;
}

/** One socket's place; `greeted` once it said hello, `left` once it is closed. Both may be called more than once. */
export interface Place {
  greeted(): void;
  left(): void;
}

export class Gate {
  readonly #networks = new Map<string, Counts>();
  #open = 0;
  #silent = 0;

  constructor(private readonly limits: GateLimits) {}

  /** Why no further socket of the network is taken, or null. */
  refusal(network: string): { status: number; reason: string } | null {
    const { socketsMax, networkSocketsMax, silentMax, networkSilentMax } = this.limits;
    const { open, silent } = this.#networks.get(network) ?? { open: 0, silent: 0 };
    if (this.#open >= socketsMax) return { status: 503, reason: "Too many nodes are connected." };
    if (this.#silent >= silentMax) return { status: 503, reason: "Too many nodes are connecting. Try again in 5 s." };
    if (network !== "loopback" && open >= networkSocketsMax) {
      return { status: 429, reason: `Too many nodes of your network are connected: ${networkSocketsMax}.` };
    }
    if (silent >= networkSilentMax) {
      return { status: 429, reason: "Too many nodes of your network are connecting. Try again in 5 s." };
    }
    return null;
  }

  enter(network: string): Place {
    const counts = this.#networks.get(network) ?? { open: 0, silent: 0 };
    this.#networks.set(network, counts);
    counts.open++;
    counts.silent++;
    this.#open++;
    this.#silent++;
    let isSilent = true;
    let isOpen = true;
    const greeted = (): void => {
      if (!isSilent) return;
      isSilent = false;
      counts.silent--;
      this.#silent--;
    };
    const left = (): void => {
      if (!isOpen) return;
      isOpen = false;
      greeted();
      counts.open--;
      this.#open--;
      if (counts.open === 0) this.#networks.delete(network);
    };
    return { greeted, left };
  }
}

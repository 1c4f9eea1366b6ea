/** Connections between nodes and the coordinator: latency, order, and loss with the connection only. */
import type { CoordinatorMessage, ResultMessage } from "../../protocol/messages.ts";
import type { Random } from "./random.ts";
import type { Timeline } from "./timeline.ts";

export interface Ends {
  /** At the node. */
  received(message: CoordinatorMessage): void;
  closed(): void;
  /** Told that its identity is banned. */
  banned: boolean;
  /** A result that was sent and not acknowledged yet. */
  sent(seq: number): ResultMessage | undefined;
}

export class Connection {
  /** Closed at either end: nothing arrives any more. */
  open = true;
  #upAt = 0;
  #downAt = 0;

  constructor(
    readonly id: number,
    readonly node: Ends,
    private readonly timeline: Timeline,
    private readonly random: Random,
    /** Milliseconds of one way; the last part of it is random. */
    private readonly latencyMs: number,
    /** A slow reader takes this much longer to read. */
    public readerMs: number,
  ) {}

  #delay(): number {
    return this.latencyMs * (0.5 + this.random.next());
  }

  /** Node to coordinator. A message that overtakes does not wait for those before it. */
  up(deliver: () => void, overtakes = false): void {
    let at = this.timeline.now + this.#delay();
    if (overtakes) at = this.timeline.now + this.#delay() * 20;
    else this.#upAt = at = Math.max(at, this.#upAt);
    this.timeline.at(at, () => {
      if (this.open) deliver();
    });
  }

  /** Coordinator to node. */
  down(message: CoordinatorMessage): void {
    this.#downAt = Math.max(this.timeline.now + this.#delay() + this.readerMs, this.#downAt);
    this.timeline.at(this.#downAt, () => {
      if (this.open) this.node.received(message);
    });
  }

  /** The coordinator's last word, after what is on the way. */
  closeAtNode(): void {
    this.#downAt = Math.max(this.timeline.now + this.#delay(), this.#downAt);
    this.timeline.at(this.#downAt, () => {
      if (!this.open) return;
      this.open = false;
      this.node.closed();
    });
  }
}

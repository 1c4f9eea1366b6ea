/**
 * Gives way to the event loop: messages, timers and sockets are served before the promise resolves.
 *
 * Node has `setImmediate`. There a message channel would not do: Node hands out up to a thousand messages, and all
 * that follows from each, before it turns to anything else. Browsers have no `setImmediate`, and hold nested timers
 * back by 4 ms (in hidden tabs by a second): there it is a message channel.
 */
export class Turns {
  readonly #channel = typeof setImmediate === "function" ? null : new MessageChannel();

  next(): Promise<void> {
    const channel = this.#channel;
    if (!channel) return new Promise((resolve) => setImmediate(resolve));
    return new Promise((resolve) => {
      channel.port1.onmessage = () => resolve();
      channel.port2.postMessage(null);
    });
  }

  close(): void {
    this.#channel?.port1.close();
  }
}

/** A line between browser and coordinator that can be cut, and held up. */
import { connect, createServer, type Socket } from "node:net";

export interface Line {
  url: string;
  /** Heads of requests that passed, as far as each came in one piece. */
  heads: string[];
  /** Everything that the coordinator said, as text. */
  said(): string;
  /** While true, nothing that nodes say on their WebSockets reaches the coordinator. */
  muteNodes: boolean;
  /** Ends every connection of this moment. */
  cut(): void;
  end(): Promise<void>;
}

/** Characters kept of what the coordinator said. */
const saidMax = 4 << 20;

export async function startProxy(target: string): Promise<Line> {
  const { port: targetPort } = new URL(target);
  const sockets = new Set<Socket>();
  const heads: string[] = [];
  let said = "";
  const server = createServer((near) => {
    const far = connect(Number(targetPort), "127.0.0.1");
    let node = false;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (data: Buffer) => {
      const head = node ? "" : data.toString("latin1");
      if (/^[A-Z]+ \S+ HTTP\/1\.1\r\n/.test(head)) heads.push(head);
      node ||= /^upgrade: *websocket/im.test(head);
      if (!(node && proxy.muteNodes)) far.write(data);
    });
    far.on("data", (data: Buffer) => {
      if (!node) said = (said + data.toString("latin1")).slice(-saidMax);
      near.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const proxy: Line = {
    url: `http://localhost:${typeof address === "object" ? address?.port : 0}`,
    heads,
    said: () => said,
    muteNodes: false,
    cut() {
      for (const socket of [...sockets]) socket.destroy();
    },
    async end() {
      proxy.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

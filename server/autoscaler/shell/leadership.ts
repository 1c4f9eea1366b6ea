/**
 * One autoscaler decides at a time. Whoever starts raises the fencing token on record; the one before sees it and only
 * watches from then on. The token is part of every order's own. With one process, whose data folder is locked, this
 * is a formality; the record's own fence (the store's epoch) keeps two writers apart in any case.
 */
import { put, type Records, rooms } from "./records.ts";

const key = "leader";

interface Leader {
  fence: number;
  holder: string;
}

export class Leadership {
  fence = 0;

  constructor(
    private readonly records: Records,
    private readonly holder: string,
  ) {}

  async claim(): Promise<void> {
    this.fence = ((await this.#read())?.fence ?? 0) + 1;
    await this.records.written([put(rooms.state, key, { fence: this.fence, holder: this.holder } satisfies Leader)]);
  }

  async holds(): Promise<boolean> {
    const leader = await this.#read();
    return leader?.fence === this.fence && leader.holder === this.holder;
  }

  async #read(): Promise<Leader | null> {
    const document = (await this.records.documents(rooms.state)).find((each) => each.key === key);
    return document ? (JSON.parse(document.value) as Leader) : null;
  }
}

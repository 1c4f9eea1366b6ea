import { describe, expect, it } from "vitest";
import type { JobView } from "../sdk/index.ts";
import { duration, facts, percent, plain, table } from "./print.ts";
import { Progress, progressLine } from "./progress.ts";

const job = (status: string, fraction: number, message?: string): JobView =>
  ({
    task_id: "j",
    status,
    progress: { fraction, grains: 2_800, grains_accepted: Math.floor(2_800 * fraction) },
    timings: { elapsed_seconds: 12 },
    reasons: message === undefined ? [] : [{ code: "x", message }],
  }) as unknown as JobView;

describe("texts of others", () => {
  it("move no cursor and change no colour", () => {
    expect(plain("Ada\x1b[31m\r\nrm -rf\u202eoops\x9b1m")).toBe("Ada [31m  rm -rf oops 1m");
    expect(table(["NAME"], [["a\x1b]0;title\x07b"]])).toBe("NAME\na ]0;title b");
    expect(facts([["name", "a\nb"]])).toBe("name  a b");
    expect(progressLine(job("queued", 0, "wait\x1b[2J"), 200)).not.toContain("\x1b");
  });
});

describe("figures", () => {
  it("100% means all of it", () => {
    expect([percent(0), percent(0.9999), percent(1)]).toEqual(["0.0%", "99.9%", "100.0%"]);
  });
  it("durations", () => {
    expect([0.25, 42, 90, 3_725, 200_000, -1].map(duration)).toEqual([
      "0.3 s",
      "42 s",
      "2 min",
      "1 h 2 min",
      "2 d 7 h",
      "-",
    ]);
  });
});

describe("progress", () => {
  it("is a bar with what is done and left, no wider than the terminal", () => {
    expect(progressLine(job("running", 0.25), 100)).toBe(
      "[########......................]  25.0%  700/2800 grains  12 s  about 36 s left  running",
    );
    expect(progressLine(job("completed", 1), 100)).toContain(`[${"#".repeat(30)}] 100.0%  2800/2800 grains`);
    for (let columns = 1; columns < 120; columns++) {
      expect(progressLine(job("queued", 0, "No own node is connected."), columns).length).toBeLessThanOrEqual(columns);
    }
  });
  it("moves on a terminal, and is a line for each tenth elsewhere", () => {
    const written: string[] = [];
    const write = (text: string): void => void written.push(text);
    const bar = new Progress({ write, columns: 100 });
    bar.show(job("running", 0.1));
    bar.say("something");
    bar.end();
    expect(written[0]).toMatch(/^\r\[###\..* running/);
    expect(written[0]?.endsWith("\x1b[K")).toBe(true);
    expect(written.slice(1)).toEqual(["\n", "something\n"]);
    written.length = 0;
    const lines = new Progress({ write, columns: null });
    lines.show(job("queued", 0));
    for (let step = 0; step <= 100; step++) lines.show(job("running", step / 100));
    lines.show(job("completed", 1));
    expect(written).toHaveLength(13);
    expect(written.join("")).not.toContain("\r");
  });
});

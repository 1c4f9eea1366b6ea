import { expect, test } from "vitest";
import { linkKeys, makeCode, openSeed, readCode, sealSeed, webLinkCrypto } from "./link-code.ts";
import { plainLinkCrypto } from "./plain-link.ts";

const seed = Uint8Array.from({ length: 32 }, (_, at) => at * 7);

test("codes are short, differ, and are read as people type them", () => {
  const codes = Array.from({ length: 50 }, makeCode);
  expect(new Set(codes).size).toBe(50);
  for (const code of codes) expect(code).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}$/);
  expect(readCode(" k7qf 2mwt-9xhb ")).toBe("K7QF2MWT9XHB");
  expect(readCode("oil0-oil0-oil0")).toBe("011001100110");
  for (const text of ["", "K7QF-2MWT", "K7QF-2MWT-9XHBB", "K7QF-2MWT-9XH!"]) expect(() => readCode(text)).toThrow("12");
});

test("WebCrypto and plain script agree, so that a page over https can link one over http", async () => {
  const code = makeCode();
  const [web, plain] = await Promise.all([
    linkKeys(code, webLinkCrypto),
    linkKeys(code.toLowerCase(), plainLinkCrypto),
  ]);
  expect(plain).toEqual(web);
  expect(web.name).toMatch(/^[0-9a-f]{32}$/);
  expect(await openSeed(await sealSeed(seed, web.key, webLinkCrypto), web.key, plainLinkCrypto)).toEqual(seed);
  expect(await openSeed(await sealSeed(seed, web.key, plainLinkCrypto), web.key, webLinkCrypto)).toEqual(seed);
  // What the coordinator sees tells neither the seed nor the code, and is new each time.
  const sealed = await sealSeed(seed, web.key);
  expect(sealed).not.toBe(await sealSeed(seed, web.key));
  expect(sealed).toMatch(/^[A-Za-z0-9_-]{80}$/);
}, 60_000);

test("another code opens nothing, and neither does what was changed", async () => {
  const [right, wrong] = await Promise.all([linkKeys(makeCode()), linkKeys(makeCode())]);
  expect(right.name).not.toBe(wrong.name);
  const sealed = await sealSeed(seed, right.key);
  await expect(openSeed(sealed, wrong.key)).rejects.toThrow("changed on its way");
  for (const text of ["", "!!", "AAAA", `${sealed.slice(0, -2)}AA`])
    await expect(openSeed(text, right.key)).rejects.toThrow("changed on its way");
}, 30_000);

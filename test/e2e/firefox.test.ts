/** The page in a stock Firefox. */
import { describe } from "vitest";
import { findOtherBrowsers } from "../../scripts/other-browsers.mjs";
import { startFirefox } from "./firefox.ts";
import { visitsOf } from "./visit.ts";

const { firefox, missing } = await findOtherBrowsers();
if (firefox === null) for (const words of missing.filter((each) => each.includes("Firefox"))) console.warn(words);

describe.skipIf(firefox === null)("Firefox", () => {
  visitsOf("firefox", () => startFirefox(firefox as string));
});

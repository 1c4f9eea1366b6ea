/** The page in WebKitGTK, which shares its engine with Safari, but neither Safari's limits nor its battery's manners. */
import { describe } from "vitest";
import { findOtherBrowsers } from "../../scripts/other-browsers.mjs";
import { visitsOf } from "./visit.ts";
import { startWebKit, type WebKitPrograms } from "./webkit.ts";

const { webkit, missing } = await findOtherBrowsers();
if (webkit === null) for (const words of missing.filter((each) => each.includes("WebKit"))) console.warn(words);

describe.skipIf(webkit === null)("WebKitGTK", () => {
  visitsOf("webkit", () => startWebKit(webkit as WebKitPrograms));
});

import { config } from "zod";

/** Schemas are otherwise compiled with `new Function`, which the pages' content security policy forbids. */
export const avoidEval = (): void => {
  config({ jitless: true });
};

import type { Clock } from "../clock.ts";
import { CloudError } from "../cloud/provider.ts";

/** The call's answer, or a CloudError `unknown` after so long: adapters settle by themselves, but nothing hangs on that. */
export function inTime<T>(clock: Clock, ms: number, call: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(new CloudError("unknown", `No answer came within ${ms / 1000} s.`)));
    call.then(
      (value) => {
        cancel();
        resolve(value);
      },
      (error) => {
        cancel();
        reject(error);
      },
    );
  });
}

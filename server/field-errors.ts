/** What zod found wrong, in the words of an answer: which field, and what it should be. */
import type { z } from "zod";

type Issue = z.core.$ZodIssue;

export interface FieldError {
  field: string;
  message: string;
}

/** At most `max`; their paths as people write them, after the prefix: `payload.sizes[3]`. */
export function fieldErrors(error: z.ZodError, prefix: string, max = 20): FieldError[] {
  return error.issues
    .flatMap(meant)
    .slice(0, max)
    .map(({ path, message }) => {
      const written = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
      const field = written === "" ? prefix.replace(/[. ]$/, "") : prefix + written.replace(/^\./, "").slice(0, 200);
      return { field: field || "body", message };
    });
}

/** Of a union the faults of the form that was meant: the only one that has all the members given. Else what the union says. */
function meant(issue: Issue): Issue[] {
  if (issue.code !== "invalid_union") return [issue];
  const forms = issue.errors.filter((form) => form.length > 0 && form.every(isInside));
  const [form] = forms;
  if (forms.length !== 1 || !form) return [issue];
  return form.flatMap((each) => meant({ ...each, path: [...issue.path, ...each.path] } as Issue));
}

const isInside = ({ code, path }: Issue): boolean => code !== "unrecognized_keys" && path.length > 0;

/** Secrets of this coordinator: made at the first start, kept in the data folder, readable by its owner only. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { makeFolderSync, syncFolder, writeAside } from "./durable.ts";

const schema = z.object({
  id: z.string().min(8),
  operatorToken: z.string().min(32),
  joinToken: z.string().min(32),
  ticketSecret: z.string().min(32),
});
/** `fresh`: they were made just now, so this is the data folder's first start. */
export type Secrets = z.infer<typeof schema> & { fresh: boolean };

const secret = (prefix: string): string => `${prefix}_${randomBytes(24).toString("base64url")}`;

export async function loadSecrets(dataDir: string): Promise<Secrets> {
  const file = join(dataDir, "secrets.json");
  makeFolderSync(dataDir);
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text !== null) {
    const parsed = schema.safeParse(JSON.parse(text));
    if (!parsed.success)
      throw new Error(
        `${file} is damaged: ${parsed.error.issues[0]?.message ?? ""}. Restore it, or remove it to make new secrets.`,
      );
    return { ...parsed.data, fresh: false };
  }
  const secrets = {
    id: randomBytes(6).toString("hex"),
    operatorToken: secret("qo"),
    joinToken: secret("qj"),
    ticketSecret: secret("qt"),
  };
  // Durable before it is used: tickets and join tokens must outlive a power cut.
  await writeAside(file, `${JSON.stringify(secrets, null, 2)}\n`, 0o600);
  await syncFolder(dataDir);
  return { ...secrets, fresh: true };
}

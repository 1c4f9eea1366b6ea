/** Headers of every answer, by kind. Constant records, so that an answer costs no header object to rework. */

/** Isolates the pages: fine timers and shared memory for kernels, no window of another site can reach in. */
const common = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** API answers are data of the moment; shown as a page, they may do nothing. */
export const apiHeaders = {
  ...common,
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
} as const;

/** Anybody's bytes: a browser saves them, whatever they say they are, and never runs them as this origin's. */
export const blobHeaders = (sha256: string) => ({
  ...common,
  "content-type": "application/octet-stream",
  "content-disposition": `attachment; filename="${sha256}"`,
  "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
});

/** Pictures that our own encoders wrote may be shown; what else a job made is saved. */
export const outputHeaders = (name: string, mediaType: string) => {
  const isPicture = /^image\/(?:png|jpeg|webp)$/.test(mediaType);
  return {
    ...common,
    "content-type": isPicture ? mediaType : "application/octet-stream",
    "content-disposition": `${isPicture ? "inline" : "attachment"}; filename="${name}"`,
    "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "cache-control": "private, no-cache",
  };
};

/**
 * Pages and their workers. `wasm-unsafe-eval` is what compiling WebAssembly needs; connect-src 'self'
 * covers the WebSocket; compiled page templates carry style attributes.
 */
export const pageHeaders = {
  ...common,
  "content-security-policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; " +
    "style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data:; font-src 'self'; manifest-src 'self'; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  "permissions-policy":
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), bluetooth=(), midi=()",
  "x-frame-options": "DENY",
} as const;

/** The API page: its style is its own, and it has no script. */
export const docsHeaders = {
  ...common,
  "content-security-policy":
    "default-src 'none'; style-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  "x-frame-options": "DENY",
} as const;

export const immutable = "public, max-age=31536000, immutable";
/** Kept, but asked after each time (by ETag). */
export const revalidate = "no-cache";

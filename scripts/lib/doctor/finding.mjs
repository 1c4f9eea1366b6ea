/**
 * What a check found. "missing" is what Queztl needs and has not; "care" works, with the limit that is said; "note" is
 * good to know.
 * @typedef {{ check: string, level: "ok" | "note" | "care" | "missing", found: string, remedy?: string }} Finding
 */

/** @param {string} check @param {string} found @returns {Finding} */
export const ok = (check, found) => ({ check, level: "ok", found });
/** @param {string} check @param {string} found @param {string} [remedy] @returns {Finding} */
export const note = (check, found, remedy) => ({ check, level: "note", found, ...(remedy ? { remedy } : {}) });
/** @param {string} check @param {string} found @param {string} remedy @returns {Finding} */
export const care = (check, found, remedy) => ({ check, level: "care", found, remedy });
/** @param {string} check @param {string} found @param {string} remedy @returns {Finding} */
export const missing = (check, found, remedy) => ({ check, level: "missing", found, remedy });

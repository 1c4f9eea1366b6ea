/*
 * Which versions of Node can run Queztl. Written in the JavaScript of 2009, and without `node:` imports, so that a
 * Node of any age reads this file to its end and can say what is wrong.
 */
"use strict";

/**
 * Returns null when this version can run Queztl, else the one sentence to print.
 * The ranges are those of the strictest dependency, the page builder (Vite): 20.19 or newer within 20, or 22.12 and up.
 */
exports.refusal = function (version) {
  var parts = /^v?(\d+)\.(\d+)/.exec(version);
  var major = parts ? Number(parts[1]) : 0;
  var minor = parts ? Number(parts[2]) : 0;
  if ((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22) return null;
  var shown = version.replace(/^v/, "");
  if (major < 20 || (major === 20 && minor < 19)) {
    return "Queztl needs Node 20.19 or newer; you have " + shown + ". Install it from https://nodejs.org";
  }
  return (
    "Queztl needs Node 20.19 or newer, and not 21 or 22.0 to 22.11; you have " +
    shown +
    ". Install it from https://nodejs.org"
  );
};

/*
 * The door of every npm script: `node scripts/queztl.cjs <command> [arguments]`. It refuses a Node that is too old in
 * one sentence, which is why it is written in the JavaScript of 2009, and hands over to scripts/<command>.mjs.
 */
"use strict";

var commands = ["start", "setup", "test", "check", "dev", "run", "build", "doctor", "demo-chaos", "verify-receipt"];
var command = process.argv[2];
var refusal = require("./lib/node-version.cjs").refusal(process.version);

if (refusal) {
  console.error(refusal);
  process.exitCode = 1;
} else if (commands.indexOf(command) < 0) {
  console.error("Usage: node scripts/queztl.cjs " + commands.join("|") + " [arguments]");
  process.exitCode = 2;
} else {
  require("./lib/load.cjs")(command);
}

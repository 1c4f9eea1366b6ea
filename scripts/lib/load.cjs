/*
 * Loads a command. This is a file of its own because `import()` is a syntax error on a Node that is too old, and
 * queztl.cjs reads it only after that Node was refused.
 */
"use strict";

module.exports = (command) =>
  import(`../${command}.mjs`)
    .then((module) => module.main(process.argv.slice(3)))
    .then((code) => {
      if (typeof code === "number") process.exitCode = code;
    })
    .catch((error) => {
      // A failure that was explained is printed as it is; anything else is a bug and keeps its stack.
      console.error(error?.explained ? error.message : error);
      process.exitCode = 1;
    });

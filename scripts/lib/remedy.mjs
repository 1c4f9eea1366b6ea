/** Says what is missing and what to do about it, from what a failed tool printed. */

/** A failure whose message is all that the user needs: printed without a stack. */
export class Explained extends Error {
  explained = true;
}

const COMPILER =
  'on Debian or Ubuntu `sudo apt install build-essential python3`, on macOS `xcode-select --install`, on Windows the Visual Studio Build Tools with "Desktop development with C++"; or use Node 22 or newer, which needs no compiler';

/**
 * Signs in the output, most telling first. Each names the missing tool or resource, then the remedy.
 * @type {{ sign: RegExp, missing: string, remedy: string }[]}
 */
const KNOWN = [
  {
    sign: /ENOSPC|no space left on device|disk is full/i,
    missing: "the disk is full",
    remedy: "free about 1 GB where this folder and npm's cache lie, and try again",
  },
  {
    sign: /\bEACCES\b|\bEPERM\b|permission denied/i,
    missing: "a file or folder may not be written",
    remedy:
      "own this folder and npm's cache (on Linux and macOS `sudo chown -R $(whoami) . ~/.npm`), and on Windows close programs that use node_modules",
  },
  {
    sign: /EUSAGE|package\.json and package-lock\.json.*(?:not |out of )?in sync|Missing: .* from lock file/i,
    missing: "package-lock.json does not agree with package.json",
    remedy: "run `npm install --ignore-scripts` after a change of dependencies, or `git checkout package-lock.json`",
  },
  {
    sign: /EINTEGRITY/,
    missing: "a downloaded package differs from its checksum",
    remedy: "run `npm cache clean --force` and try again; if it stays, a proxy changes downloads",
  },
  {
    sign: /Could not find any Python|python(?:3)?: (?:command )?not found/i,
    missing: "Python 3, which builds the SQLite driver on Node 20, was not found",
    remedy: COMPILER,
  },
  {
    sign: /(?:make|g\+\+|c\+\+|cc|clang)(?:: command)?:? (?:not found|No such file)|not found: make|spawn make ENOENT|Could not find any Visual Studio|no developer tools were found|No Xcode or CLT/i,
    missing: "a C++ compiler, which builds the SQLite driver on Node 20, was not found",
    remedy: COMPILER,
  },
  {
    sign: /node-v[\d.]+-headers|nodejs\.org[\s\S]*(?:ENOTFOUND|ECONN|ETIMEDOUT|EAI_AGAIN|50\d|40\d)|install response/i,
    missing: "Node's header files could not be fetched from nodejs.org",
    remedy:
      "let this machine reach nodejs.org, or point `npm_package_config_node_gyp_nodedir` at a folder with include/node; or use Node 22 or newer, which needs no compiler",
  },
  {
    sign: /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|network/i,
    missing: "the npm registry cannot be reached",
    remedy: "check the network, or a proxy by `npm config get proxy` and `npm config get registry`, and try again",
  },
];

/** What node-gyp and npm print after every failure, whatever it was. */
const NOISE =
  /^gyp info|^gyp ERR! (?:System|command|cwd|node|\$npm_package|not ok|build error|stack at)|A complete log of this run|^\s*at /;

/**
 * One message: the step, what is missing, the remedy, and the last lines of the tool.
 * @param {string} step what was being done, e.g. "Installing packages"
 * @param {string} output what the tool printed
 * @param {string} [fallback] remedy where no sign is known
 * @returns {Explained}
 */
export function explain(step, output, fallback = "the lines above are all that the tool said") {
  const known = KNOWN.find(({ sign }) => sign.test(output));
  const lines = output.trimEnd().split("\n");
  const tail = lines
    .filter((line) => !NOISE.test(line))
    .slice(-12)
    .join("\n");
  const reason = known ? `${known.missing}. Remedy: ${known.remedy}.` : `${fallback}.`;
  return new Explained(`${tail === "" ? "" : `${tail}\n\n`}${step} failed: ${reason}`);
}

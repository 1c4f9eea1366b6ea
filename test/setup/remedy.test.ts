import { expect, test } from "vitest";
import { explain } from "../../scripts/lib/remedy.mjs";

/** Lines as npm, node-gyp and Node print them, and what the user must be told. */
const cases: [name: string, output: string, told: RegExp[]][] = [
  [
    "a full disk",
    "npm error code ENOSPC\nnpm error nospc no space left on device, write",
    [/disk is full/, /free about/],
  ],
  [
    "no rights",
    "npm error code EACCES\nnpm error syscall mkdir\nnpm error path /srv/q/node_modules",
    [/may not be written/, /chown/],
  ],
  [
    "a stale lock file",
    "npm error code EUSAGE\nnpm error `npm ci` can only install packages when your package.json and package-lock.json are in sync.\nnpm error Missing: left-pad@1.3.0 from lock file",
    [/does not agree/, /npm install --ignore-scripts/],
  ],
  [
    "a damaged download",
    "npm error code EINTEGRITY\nnpm error sha512-x integrity checksum failed",
    [/checksum/, /cache clean/],
  ],
  [
    "no Python",
    "gyp ERR! find Python Python is not set from command line or npm configuration\ngyp ERR! stack Error: Could not find any Python installation to use",
    [/Python 3/, /build-essential python3/, /Node 22/],
  ],
  [
    "no make",
    "gyp ERR! stack Error: not found: make",
    [/C\+\+ compiler/, /build-essential/, /xcode-select --install/, /Build Tools/],
  ],
  [
    "no compiler",
    "make: g++: No such file or directory\nmake: *** [Release/obj/sqlite3.o] Error 127",
    [/C\+\+ compiler/, /Node 22/],
  ],
  [
    "no Visual Studio",
    "gyp ERR! find VS Could not find any Visual Studio installation to use",
    [/C\+\+ compiler/, /Build Tools/],
  ],
  [
    "no headers",
    "gyp http GET https://nodejs.org/download/release/v20.19.0/node-v20.19.0-headers.tar.gz\ngyp ERR! stack FetchError: getaddrinfo ENOTFOUND nodejs.org",
    [/header files/, /nodedir/, /Node 22/],
  ],
  [
    "no network",
    "npm error code ENOTFOUND\nnpm error network request to https://registry.npmjs.org/ws failed",
    [/registry cannot be reached/, /proxy/],
  ],
];

test.each(cases)("%s is named with its remedy", (_name, output, told) => {
  const { message } = explain("Setting up", output);
  for (const part of told) expect(message).toMatch(part);
  expect(message).toContain("Remedy: ");
});

test("an unknown failure shows the end of what the tool said, and no more than that", () => {
  const output = Array.from({ length: 100 }, (_, line) => `line ${line}`).join("\n");
  const { message } = explain("Building kernels", output);
  expect(message).toContain("line 99");
  expect(message).not.toContain("line 80");
  expect(message).toContain("Building kernels failed");
});

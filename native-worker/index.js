// `node native-worker` in the repository: runs the TypeScript source. Elsewhere the worker is one bundled file.
import { register } from "tsx/esm/api";

register();
await import("./main.ts");

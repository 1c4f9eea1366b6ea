import { blobsConformance } from "./conformance.ts";
import { MemoryBlobs } from "./memory.ts";

blobsConformance("memory", async () => ({ blobs: new MemoryBlobs(), remove: async () => {} }));

/**
 * Builds the pages into `dist/client`: `index.html` (donate, served at `/`), `dashboard.html` (at `/dashboard`),
 * `volunteers.html` (at `/volunteers`) and `playground.html` (at `/playground`). The dev server forwards everything else to a running coordinator.
 */
import { fileURLToPath } from "node:url";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Isolation gives workers fine timers and, for kernels that want them, shared memory. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** Pages without their extension, as the coordinator serves them. */
const pagePaths: Plugin = {
  name: "queztl-page-paths",
  configureServer(server) {
    server.middlewares.use((request, _response, next) => {
      const [, page] = /^\/(dashboard|volunteers|playground)(\?|$)/.exec(request.url ?? "") ?? [];
      if (page) request.url = `/${page}.html`;
      next();
    });
  },
};

const coordinator = process.env.QUEZTL_COORDINATOR_URL ?? "http://127.0.0.1:8000";
const forward = { target: coordinator, changeOrigin: false };

export default defineConfig({
  root: here("."),
  publicDir: false,
  plugins: [svelte({ configFile: false }), pagePaths],
  worker: { format: "es" },
  build: {
    target: "es2022",
    outDir: here("../dist/client"),
    emptyOutDir: true,
    // Inlined files would be data: URLs, which a strict content security policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        index: here("index.html"),
        dashboard: here("dashboard.html"),
        volunteers: here("volunteers.html"),
        playground: here("playground.html"),
      },
    },
  },
  server: {
    host: "127.0.0.1",
    headers,
    proxy: { "/api": forward, "/k": forward, "/metrics": forward, "/ws": { ...forward, ws: true } },
  },
});

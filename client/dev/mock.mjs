/**
 * A stand-in for the coordinator's REST and feed, to look at the pages without one (development only):
 * `node client/dev/mock.mjs` serves `dist/client` and made-up figures at a free port, which it prints.
 * It has no WebSocket: the donate page shows how it looks when the coordinator cannot be reached.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname } from "node:path";

const root = new URL("../../dist/client/", import.meta.url);
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };
const started = Date.now();
const seconds = () => (Date.now() - started) / 1000;
const iso = (agoSeconds) => new Date(Date.now() - agoSeconds * 1000).toISOString();

const number = (description, more = {}) => ({ type: "number", description, ...more });
const workloadTypes = {
  planned: ["llm_inference", "image_processing"],
  workload_types: [
    {
      type: "monte_carlo",
      title: "Monte Carlo simulation",
      summary: "Estimates π or the price of an option from random paths.",
      family: {
        id: "simulation",
        title: "Simulations",
        summary: "Random experiments by the million, for estimates in science and finance.",
        opt_in: false,
      },
      payload_schema: {
        type: "object",
        properties: {
          model: { enum: ["pi", "european", "asian"], description: "What is simulated." },
          iterations: { type: "integer", minimum: 1, maximum: 1e12, description: "Random paths in all." },
          samples: { type: "integer", minimum: 1, maximum: 1e9, default: 1e6, description: "Paths in a batch." },
          option: {
            anyOf: [
              {
                type: "object",
                properties: { kind: { const: "call" }, spot: number("Price now."), strike: number("Agreed price.") },
                required: ["kind", "spot"],
              },
              {
                type: "object",
                properties: { kind: { const: "put" }, strike: number("Agreed price.") },
                required: ["kind"],
              },
            ],
          },
          antithetic: { type: "boolean", default: false, description: "Pair each path with its mirror." },
        },
        required: ["iterations"],
      },
      examples: [
        { title: "π from ten million paths", payload: { iterations: 10_000_000, samples: 1_000_000 } },
        {
          title: "A call option",
          payload: { model: "european", iterations: 1e9, option: { kind: "call", spot: 100, strike: 105 } },
        },
      ],
      kernel: "0".repeat(64),
      backends: ["wasm", "webgpu"],
    },
    {
      type: "crypto_mining",
      title: "SHA-256 search",
      summary: "Searches block headers for a hash below a target.",
      family: {
        id: "sha256_search",
        title: "SHA-256 search",
        summary:
          "Tries numbers until a hash is small enough, the arithmetic of proof of work. It uses much power, so it is off until you switch it on.",
        opt_in: true,
      },
      payload_schema: {
        type: "object",
        properties: { header: { type: "string", maxLength: 160 }, count: { type: "integer", minimum: 1 } },
        required: ["header"],
      },
      examples: [{ title: "Genesis block", payload: { header: "01".repeat(76), count: 65536 } }],
      kernel: "1".repeat(64),
      backends: ["wasm", "webgpu"],
    },
  ],
};

const job = (id, type, status, fraction, more = {}) => ({
  task_id: id,
  workload_type: type,
  status,
  priority: 5,
  submitter: "local",
  payload: { iterations: 10_000_000 },
  round: 0,
  revision: 1,
  progress: {
    fraction,
    tasks: 4000,
    grains: 400,
    grains_accepted: Math.floor(400 * fraction),
    grains_candidate: status === "running" ? 3 : 0,
    grains_leased: status === "running" ? 12 : 0,
    slices_accepted: Math.floor(40 * fraction),
    slices_by_backend: {
      wasm: Math.floor(20 * fraction),
      webgpu: Math.floor(12 * fraction),
      native: Math.floor(8 * fraction),
    },
  },
  timings: {
    submitted_at: iso(60),
    started_at: iso(58),
    finished_at: null,
    elapsed_seconds: seconds(),
    compute_seconds: seconds() * 3,
  },
  verification: {
    accepted_results: Math.floor(40 * fraction),
    rejected_results: 0,
    audited_results: 6,
    own_results: 8,
    certified_results: 0,
    overhead: 1.07,
  },
  reasons: [],
  preview:
    fraction > 0 ? { estimate: Math.PI + fraction / 1e4, standard_error: 0.00052, interval: [3.1405, 3.1426] } : null,
  kernel: "0".repeat(64),
  ...more,
});
const jobs = () => [
  job("job_5f0c2a71", "monte_carlo", "running", Math.min(0.97, 0.3 + seconds() / 120)),
  job("job_19be44d0", "crypto_mining", "queued", 0, {
    reasons: [{ code: "no_consent", message: "No node with SHA-256 search switched on is online." }],
  }),
  job("job_77aa0e15", "monte_carlo", "completed", 1),
  job("job_3c9910ff", "monte_carlo", "cancelled", 0.42),
];
const node = (id, more) => ({
  node_id: id,
  name: null,
  kind: "native",
  own: false,
  online: true,
  available: true,
  software: "queztl 1.2.0",
  platform: "linux",
  cpu_cores: 8,
  cpu_model: "AMD EPYC",
  ram_gb: 31.4,
  gpu: null,
  accelerators: [],
  engines: [],
  backends: [{ backend: "wasm", slots: 4, busy: 3, core_seconds_per_second: 3.62 }],
  leases: [],
  accepted_slices: 120,
  rejected_slices: 0,
  core_seconds: 1234.5 + seconds(),
  connected_at: iso(300),
  last_seen: iso(1),
  idle_reasons: [],
  ...more,
});
const lease = (backend, lo, done) => ({
  task_id: "job_5f0c2a71",
  workload_type: "monte_carlo",
  backend,
  lo,
  hi: lo + 10,
  done,
});
const nodes = () => [
  node("n_0a1b2c3d4e5f", {
    name: "this computer",
    own: true,
    leases: [lease("wasm", 120, Math.floor(seconds()) % 10)],
  }),
  node("n_77e0aa19bc02", {
    name: "Ada's laptop",
    kind: "tab",
    ram_gb: null,
    gpu: {
      name: "",
      vendor: "apple",
      architecture: "metal-3",
      software: false,
      vramBytes: null,
      features: [],
      limits: {},
    },
    backends: [
      { backend: "wasm", slots: 4, busy: 4, core_seconds_per_second: 4.1 },
      { backend: "webgpu", slots: 1, busy: 1, core_seconds_per_second: 212 },
    ],
    leases: [lease("wasm", 130, 4), lease("webgpu", 140, 7)],
  }),
  node("n_2f9d0c7e6a11", {
    kind: "tab",
    ram_gb: null,
    cpu_cores: 2,
    backends: [{ backend: "wasm", slots: 1, busy: 0, core_seconds_per_second: null }],
    accepted_slices: 0,
    rejected_slices: 1,
    idle_reasons: [{ code: "no_work", message: "Every job that this node may compute is already being computed." }],
  }),
  node("n_9b1100c3d2e4", { name: "build box", online: false, last_seen: iso(4000) }),
];
const status = () => ({
  coordinator: { node_id: "c1", hostname: "grid.example", uptime: seconds(), version: "1.2.0" },
  registry: {
    total_nodes: 4,
    online_nodes: 3,
    available_nodes: 2,
    total_cpu_cores: 18,
    total_ram_gb: 31.4,
    total_gpu_vram_gb: 0,
    unknown_ram_nodes: 2,
    unknown_vram_nodes: 1,
  },
  scheduler: {
    pending_tasks: 1,
    active_tasks: 1,
    completed_tasks: 1,
    failed_tasks: 0,
    cancelled_tasks: 1,
    success_rate: 1,
    leased_slices: 3,
    accepted_slices: 40 + Math.floor(seconds()),
    accepted_grains: 400,
    core_seconds_per_second: 6 + 3 * Math.sin(seconds() / 7),
  },
});

const send = (response, code, body, type = "application/json") => {
  response
    .writeHead(code, { ...headers, "Content-Type": type })
    .end(typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body));
};
function live(response) {
  response.writeHead(200, { ...headers, "Content-Type": "text/event-stream" });
  const push = (event) => response.write(`event: ${event.event}\ndata: ${JSON.stringify(event)}\n\n`);
  push({ event: "snapshot", status: { ...status(), nodes: nodes() }, jobs: jobs() });
  const timer = setInterval(
    () => push({ event: "change", status: status(), nodes: nodes(), gone_nodes: [], jobs: jobs() }),
    500,
  );
  response.on("close", () => clearInterval(timer));
}
function api(path, request, response) {
  if (path === "/live") return live(response);
  if (path === "/workload-types") return send(response, 200, workloadTypes);
  if (path === "/session")
    return send(response, 200, { kind: "local", id: "local", scopes: ["submit"], expires_at: null });
  if (path === "/workload/submit") {
    const errors = [{ field: "payload.iterations", message: "must be at least 1" }];
    return send(response, 422, {
      type: "about:blank",
      title: "Invalid",
      status: 422,
      detail: "The payload is not valid.",
      remedy: "Correct the named field.",
      errors,
    });
  }
  const [, id, result] = /^\/workload\/([^/]+)(\/result)?$/.exec(path) ?? [];
  const found = jobs().find((each) => each.task_id === id);
  if (!found) return send(response, 404, { status: 404, title: "Not found", detail: "No such job." });
  if (!result) return send(response, request.method === "DELETE" ? 202 : 200, found);
  const answer = {
    estimate: 3.14161,
    standard_error: 0.00052,
    interval: [3.1405, 3.1426],
    iterations: 10_000_000,
    model: "pi",
  };
  send(response, 200, {
    task_id: id,
    status: "completed",
    workload_type: "monte_carlo",
    revision: 1,
    result: answer,
    verification: found.verification,
  });
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://mock");
  if (pathname.startsWith("/api/v1.2")) return api(pathname.slice("/api/v1.2".length), request, response);
  const file = pathname === "/" ? "index.html" : pathname === "/dashboard" ? "dashboard.html" : pathname.slice(1);
  try {
    send(response, 200, await readFile(new URL(file, root)), types[extname(file)] ?? "application/octet-stream");
  } catch {
    send(response, 404, "nothing here", "text/plain");
  }
});
server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () =>
  console.log(`http://127.0.0.1:${server.address().port}`),
);

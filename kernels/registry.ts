/** Every workload there is, a line each. Benchmarks, conformance, the submit form and the docs iterate over it. */
export { default as crypto_mining } from "./workloads/crypto_mining/workload.ts";
export { default as custom } from "./workloads/custom/workload.ts";
export { default as image_processing } from "./workloads/image_processing/workload.ts";
export { default as monte_carlo } from "./workloads/monte_carlo/workload.ts";
export { default as scientific_computing } from "./workloads/scientific_computing/workload.ts";

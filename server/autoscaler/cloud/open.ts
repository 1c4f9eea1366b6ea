/** The providers by name. Each is loaded when it is chosen: its cloud's library is heavy, or not installed at all. */
import { totalmem } from "node:os";
import { join } from "node:path";
import type { AzureClient } from "./azure/library.ts";
import type { GcpLibrary } from "./gcp/library.ts";
import { LocalProvider } from "./local.ts";
import type { CloudProvider } from "./provider.ts";
import { SshProvider, sshOptions } from "./ssh/ssh.ts";

export interface OpenOptions {
  /** The environment as far as adapters may know it: their clouds' own variables. */
  cloud: Readonly<Record<string, string | undefined>>;
  /** Environment of processes on this machine. */
  env: Readonly<Record<string, string | undefined>>;
  dataDir: string;
  /** The worker as one file. */
  workerFile: string;
  log(code: string, message: string): void;
}

type Open = (options: OpenOptions) => Promise<CloudProvider>;

const adapters: Partial<Record<string, Open>> = {
  local: async ({ workerFile, dataDir, env, log }) =>
    new LocalProvider({ file: workerFile, dir: join(dataDir, "instances"), env, memoryBytes: totalmem(), log }),
  docker: async ({ cloud }) => {
    const { default: Dockerode } = await installed("dockerode", () => import("dockerode"));
    const { DockerProvider, dockerOptions } = await import("./docker/docker.ts");
    // DOCKER_HOST and its like are the library's to read.
    return new DockerProvider({ ...dockerOptions(cloud), docker: new Dockerode() });
  },
  kubernetes: async ({ cloud }) => {
    const { BatchV1Api, KubeConfig } = await installed(
      "@kubernetes/client-node",
      () => import("@kubernetes/client-node"),
    );
    const { KubernetesProvider, kubernetesOptions } = await import("./kubernetes/kubernetes.ts");
    const config = new KubeConfig();
    // KUBECONFIG, the home folder's, or that of the pod that this runs in.
    config.loadFromDefault();
    return new KubernetesProvider({ ...kubernetesOptions(cloud), batch: config.makeApiClient(BatchV1Api) });
  },
  gcp: async ({ cloud }) => {
    const { clientsOf } = await import("./gcp/library.ts");
    const { GcpProvider, gcpOptions } = await import("./gcp/gcp.ts");
    const { catalogPrices } = await import("./gcp/prices.ts");
    const options = gcpOptions(cloud, () => catalogPrices(googleGet(cloud), "https://cloudbilling.googleapis.com"));
    const library = await heavy("@google-cloud/compute", "6.15.0");
    return new GcpProvider(clientsOf(library as GcpLibrary), options);
  },
  azure: async ({ cloud }) => {
    const { AzureProvider, azureOptions } = await import("./azure/azure.ts");
    const options = azureOptions(cloud);
    type Compute = { ComputeManagementClient: new (credential: object, subscription: string) => AzureClient };
    type Identity = { DefaultAzureCredential: new () => { getToken(scope: string): Promise<{ token: string }> } };
    const { ComputeManagementClient } = (await heavy("@azure/arm-compute", "24.1.0")) as Compute;
    const { DefaultAzureCredential } = (await heavy("@azure/identity", "4.13.1")) as Identity;
    const credential = new DefaultAzureCredential();
    const token = async () => (await credential.getToken("https://management.azure.com/.default")).token;
    const client = new ComputeManagementClient(credential, options.subscription);
    return new AzureProvider(client, { ...options, token });
  },
  ssh: async ({ cloud, log }) => new SshProvider({ ...sshOptions(cloud), log }),
  aws: async ({ cloud }) => {
    const { AwsProvider, awsOptions } = await installed("@aws-sdk/client-ec2", () => import("./aws/aws.ts"));
    return new AwsProvider(awsOptions(cloud));
  },
};

/** Asks Google for a page of JSON, with the credentials that its own library finds; the project pays for the asking. */
function googleGet({ GCP_PROJECT: project }: OpenOptions["cloud"]): (url: string) => Promise<unknown> {
  type Auth = { request(of: object): Promise<{ data: unknown }> };
  type Library = { GoogleAuth: new (options: object) => Auth };
  let auth: Promise<Auth> | null = null;
  return async (url) => {
    auth ??= heavy("google-auth-library", "10.5.0").then((library) => {
      return new (library as Library).GoogleAuth({ scopes: ["https://www.googleapis.com/auth/cloud-platform"] });
    });
    const headers = project ? { "x-goog-user-project": project } : {};
    return (await (await auth).request({ url, headers, timeout: 15_000 })).data;
  };
}

/** Throws Error with the remedy where a cloud's library is not installed. */
async function installed<Module>(name: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    if ((cause as { code?: string }).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    throw new Error(`This provider needs the package ${name}: run "npm install ${name}".`, { cause });
  }
}

/** One that does not come with the rest: its types are not known here. */
const heavy = (name: string, version: string): Promise<unknown> =>
  installed(`${name}@${version}`, () => import(name) as Promise<unknown>);

/** Throws Error with the remedy where this build has no such provider. */
export async function openProvider(name: string, options: OpenOptions): Promise<CloudProvider> {
  const open = adapters[name];
  if (!open) {
    throw new Error(`This build has no provider "${name}": use one of ${Object.keys(adapters).join(", ")}.`);
  }
  return open(options);
}

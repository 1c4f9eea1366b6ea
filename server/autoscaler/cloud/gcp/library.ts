/**
 * What is used of @google-cloud/compute, which is not installed with the rest (144 MB). Its own types would be needed to
 * compile against it; these say the same of the few calls that there are.
 */
export interface Instance {
  name?: string | null;
  status?: string | null;
  machineType?: string | null;
  labels?: Record<string, string> | null;
  creationTimestamp?: string | null;
}

export interface MachineType {
  name?: string | null;
  guestCpus?: number | null;
  memoryMb?: number | null;
}

interface Client {
  close(): Promise<void>;
}

export interface GcpClients {
  instances: Client & {
    insert(request: object): Promise<unknown>;
    list(request: object): Promise<[Instance[], ...unknown[]]>;
    delete(request: object): Promise<unknown>;
  };
  machineTypes: Client & { get(request: object): Promise<[MachineType, ...unknown[]]> };
  operations: Client & { list(request: object): Promise<[object[], ...unknown[]]> };
}

export interface GcpLibrary {
  InstancesClient: new (options: object) => GcpClients["instances"];
  MachineTypesClient: new (options: object) => GcpClients["machineTypes"];
  ZoneOperationsClient: new (options: object) => GcpClients["operations"];
}

/** Over HTTP rather than gRPC, which Compute Engine does not speak. */
export function clientsOf(library: GcpLibrary, options: object = {}): GcpClients {
  const all = { fallback: true, ...options };
  return {
    instances: new library.InstancesClient(all),
    machineTypes: new library.MachineTypesClient(all),
    operations: new library.ZoneOperationsClient(all),
  };
}

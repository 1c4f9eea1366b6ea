/**
 * What is used of @azure/arm-compute, which is not installed with the rest (79 MB). Its own types would be needed to compile
 * against it; these say the same of the few calls that there are.
 */
export interface VirtualMachine {
  name?: string;
  location?: string;
  tags?: Record<string, string>;
  priority?: string;
  timeCreated?: Date;
  provisioningState?: string;
  hardwareProfile?: { vmSize?: string };
  instanceView?: { statuses?: { code?: string }[] };
}

export interface AzureClient {
  virtualMachines: {
    beginCreateOrUpdate(group: string, name: string, machine: object): Promise<unknown>;
    beginDelete(group: string, name: string): Promise<unknown>;
    list(group: string, options?: object): AsyncIterable<VirtualMachine>;
  };
  virtualMachineSizes: {
    list(location: string): AsyncIterable<{ name?: string; numberOfCores?: number; memoryInMB?: number }>;
  };
}

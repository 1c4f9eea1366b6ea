/**
 * EC2, and AWS's price list, as far as the adapter uses it, for tests: the Query protocol over HTTP with the shapes of its API reference,
 * idempotency by client token, instances that start and end after a while, and faults on demand. Prices are asked for in JSON 1.1.
 */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Machine {
  id: string;
  type: string;
  zone: string;
  isSpot: boolean;
  state: string;
  launchedAt: string;
  tags: Map<string, string>;
}

interface Template {
  data: URLSearchParams;
  tags: Map<string, string>;
}

type Fault =
  | { action: string; code: string; status: number; times: number }
  | { action: string; lost: true; times: number };

const types: Readonly<Record<string, [cores: number, mebibytes: number, gpu: string | null]>> = {
  "t3.medium": [2, 4096, null],
  "c5.2xlarge": [8, 16_384, null],
  "g4dn.xlarge": [4, 16_384, "T4"],
};

export class FakeEc2 {
  readonly machines = new Map<string, Machine>();
  readonly templates = new Map<string, Template>();
  /** Actions in the order of their arrival. */
  readonly calls: string[] = [];
  readonly faults: Fault[] = [];
  /** Types of which nothing is left. */
  readonly soldOut = new Set<string>();
  /** On-demand dollars an hour, by region and type. */
  readonly onDemand = new Map([
    ["us-east-1 t3.medium", "0.0416000000"],
    ["us-east-1 c5.2xlarge", "0.3400000000"],
    ["ap-northeast-1 t3.medium", "0.0544000000"],
  ]);
  /** What its machines run on, where they do. */
  hardware: { begin(id: string, userData: string): void; end(id: string): void } | null = null;
  readonly #fleets = new Map<string, string>();
  #server: Server | null = null;
  #made = 0;
  url = "";

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (data: Buffer) => (body += data.toString()));
      request.on("end", () => {
        const target = request.headers["x-amz-target"];
        if (target !== undefined) {
          this.#price(String(target), body, response);
          return;
        }
        const given = new URLSearchParams(body);
        const action = given.get("Action") ?? "";
        this.calls.push(action);
        const fault = this.faults.find((each) => each.action === action && each.times-- > 0);
        if (fault && "code" in fault) {
          response
            .writeHead(fault.status, { "content-type": "text/xml" })
            .end(errorXml(fault.code, "as the test asks"));
          return;
        }
        const answer = this.#answer(action, given);
        // It took effect, and nobody hears of it.
        if (fault) request.socket.destroy();
        else response.writeHead(answer.status, { "content-type": "text/xml;charset=UTF-8" }).end(answer.xml);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  #price(target: string, body: string, response: ServerResponse): void {
    const action = target.replace("AWSPriceListService.", "");
    this.calls.push(action);
    const fault = this.faults.find((each) => each.action === action && each.times-- > 0);
    const json = { "content-type": "application/x-amz-json-1.1" };
    if (fault && "code" in fault) {
      response.writeHead(fault.status, json).end(JSON.stringify({ __type: fault.code, message: "as the test asks" }));
      return;
    }
    const { Filters } = JSON.parse(body) as { Filters: { Field: string; Value: string }[] };
    const value = (field: string): string => Filters.find(({ Field }) => Field === field)?.Value ?? "";
    const [instanceType, regionCode] = [value("instanceType"), value("regionCode")];
    const dollars = this.onDemand.get(`${regionCode} ${instanceType}`);
    const attributes = { instanceType, regionCode, operatingSystem: "Linux", tenancy: "Shared" };
    const dimension = { unit: "Hrs", beginRange: "0", endRange: "Inf", pricePerUnit: { USD: dollars } };
    const term = { effectiveDate: "2026-11-01T00:00:00Z", priceDimensions: { "ABC.JRTCKXETXF.6YS6EN2CT7": dimension } };
    const product = {
      ...{ serviceCode: "AmazonEC2", publicationDate: "2026-11-20T00:00:00Z" },
      product: { productFamily: "Compute Instance", attributes, sku: "ABC" },
      terms: { OnDemand: { "ABC.JRTCKXETXF": term } },
    };
    const PriceList = dollars === undefined ? [] : [JSON.stringify(product)];
    response.writeHead(200, json).end(JSON.stringify({ FormatVersion: "aws_v1", PriceList }));
  }

  #answer(action: string, given: URLSearchParams): { status: number; xml: string } {
    const ok = (inner: string): { status: number; xml: string } => ({
      status: 200,
      xml: `<?xml version="1.0" encoding="UTF-8"?><${action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>${inner}</${action}Response>`,
    });
    const refuse = (code: string, message: string) => ({ status: 400, xml: errorXml(code, message) });
    switch (action) {
      case "DescribeInstanceTypes": {
        const items = listOf(given, "InstanceType").flatMap((type) => {
          const known = types[type];
          return known ? [typeXml(type, known)] : [];
        });
        return ok(`<instanceTypeSet>${items.join("")}</instanceTypeSet>`);
      }
      case "DescribeSpotPriceHistory": {
        const items = listOf(given, "InstanceType")
          .filter((type) => types[type])
          .flatMap((type) =>
            ["a", "b"].map(
              (zone) =>
                `<item><instanceType>${type}</instanceType><productDescription>Linux/UNIX</productDescription><spotPrice>${zone === "a" ? "0.0104" : "0.0127"}</spotPrice><timestamp>${new Date().toISOString()}</timestamp><availabilityZone>us-east-1${zone}</availabilityZone></item>`,
            ),
          );
        return ok(`<spotPriceHistorySet>${items.join("")}</spotPriceHistorySet>`);
      }
      case "CreateLaunchTemplate": {
        const name = given.get("LaunchTemplateName") ?? "";
        if (this.templates.has(name)) return refuse("InvalidLaunchTemplateName.AlreadyExistsException", "it is there");
        this.templates.set(name, { data: given, tags: tagsOf(given, "LaunchTemplateData.TagSpecification.1") });
        return ok(
          `<launchTemplate><launchTemplateId>lt-1</launchTemplateId><launchTemplateName>${name}</launchTemplateName></launchTemplate>`,
        );
      }
      case "DeleteLaunchTemplate":
        this.templates.delete(given.get("LaunchTemplateName") ?? "");
        return ok("");
      case "CreateFleet":
        return this.#fleet(given, ok, refuse);
      case "DescribeInstances": {
        const [name, values] = [given.get("Filter.1.Name") ?? "", listOf(given, "Filter.1.Value")];
        const found = [...this.machines.values()].filter((machine) =>
          name === "instance-id"
            ? values.includes(machine.id)
            : values.includes(machine.tags.get(name.replace("tag:", "")) ?? ""),
        );
        // A page of two, so that there are pages.
        const from = Number(given.get("NextToken") ?? 0);
        const next = from + 2 < found.length ? `<nextToken>${from + 2}</nextToken>` : "";
        const items = found
          .slice(from, from + 2)
          .map(
            (machine) =>
              `<item><reservationId>r-1</reservationId><instancesSet>${machineXml(machine)}</instancesSet></item>`,
          );
        return ok(`<reservationSet>${items.join("")}</reservationSet>${next}`);
      }
      case "TerminateInstances": {
        const ids = listOf(given, "InstanceId");
        const gone = ids.find((id) => !this.machines.has(id));
        if (gone) return refuse("InvalidInstanceID.NotFound", `The instance ID '${gone}' does not exist`);
        for (const id of ids) {
          (this.machines.get(id) as Machine).state = "terminated";
          this.hardware?.end(id);
        }
        return ok(
          `<instancesSet>${ids.map((id) => `<item><instanceId>${id}</instanceId><currentState><code>32</code><name>shutting-down</name></currentState></item>`).join("")}</instancesSet>`,
        );
      }
      default:
        return refuse("InvalidAction", action);
    }
  }

  #fleet(
    given: URLSearchParams,
    ok: (inner: string) => { status: number; xml: string },
    refuse: (code: string, message: string) => { status: number; xml: string },
  ): { status: number; xml: string } {
    const token = given.get("ClientToken") ?? "";
    const before = this.#fleets.get(token);
    if (before !== undefined) return ok(before);
    const config = "LaunchTemplateConfigs.1";
    const template = this.templates.get(given.get(`${config}.LaunchTemplateSpecification.LaunchTemplateName`) ?? "");
    if (!template) return refuse("InvalidLaunchTemplateName.NotFoundException", "no such template");
    const isSpot = given.get("TargetCapacitySpecification.DefaultTargetCapacityType") === "spot";
    const count = Number(given.get("TargetCapacitySpecification.TotalTargetCapacity"));
    const errors: string[] = [];
    const made: string[] = [];
    for (let at = 1; given.has(`${config}.Overrides.${at}.InstanceType`); at++) {
      const type = given.get(`${config}.Overrides.${at}.InstanceType`) ?? "";
      const zone = given.get(`${config}.Overrides.${at}.AvailabilityZone`) ?? "us-east-1a";
      const from = `<launchTemplateAndOverrides><overrides><instanceType>${type}</instanceType><availabilityZone>${zone}</availabilityZone></overrides></launchTemplateAndOverrides>`;
      const code = !types[type]
        ? "InvalidParameterValue"
        : this.soldOut.has(type)
          ? "InsufficientInstanceCapacity"
          : null;
      if (code) {
        errors.push(
          `<item>${from}<lifecycle>${isSpot ? "spot" : "on-demand"}</lifecycle><errorCode>${code}</errorCode><errorMessage>none of ${type} in ${zone}</errorMessage></item>`,
        );
      } else if (made.length === 0) {
        const ids = Array.from({ length: count }, () => this.#make(type, zone, isSpot, template).id);
        made.push(
          `<item>${from}<instanceType>${type}</instanceType><availabilityZone>${zone}</availabilityZone><instanceIds>${ids.map((id) => `<item>${id}</item>`).join("")}</instanceIds></item>`,
        );
      }
    }
    const answer = `<fleetId>fleet-1</fleetId><errorSet>${errors.join("")}</errorSet><fleetInstanceSet>${made.join("")}</fleetInstanceSet>`;
    this.#fleets.set(token, answer);
    return ok(answer);
  }

  #make(type: string, zone: string, isSpot: boolean, { data, tags }: Template): Machine {
    const id = `i-${(++this.#made).toString(16).padStart(17, "0")}`;
    const machine = { id, type, zone, isSpot, state: "running", launchedAt: new Date().toISOString(), tags };
    this.machines.set(id, machine);
    const userData = Buffer.from(data.get("LaunchTemplateData.UserData") ?? "", "base64").toString();
    this.hardware?.begin(id, userData);
    return machine;
  }
}

function listOf(given: URLSearchParams, name: string): string[] {
  const found: string[] = [];
  for (let at = 1; given.has(`${name}.${at}`); at++) found.push(given.get(`${name}.${at}`) ?? "");
  return found;
}

function tagsOf(given: URLSearchParams, name: string): Map<string, string> {
  const tags = new Map<string, string>();
  for (let at = 1; given.has(`${name}.Tag.${at}.Key`); at++)
    tags.set(given.get(`${name}.Tag.${at}.Key`) ?? "", given.get(`${name}.Tag.${at}.Value`) ?? "");
  return tags;
}

const errorXml = (code: string, message: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r</RequestID></Response>`;

const typeXml = (type: string, [cores, mebibytes, gpu]: [number, number, string | null]): string =>
  `<item><instanceType>${type}</instanceType><vCpuInfo><defaultVCpus>${cores}</defaultVCpus></vCpuInfo><memoryInfo><sizeInMiB>${mebibytes}</sizeInMiB></memoryInfo>${gpu ? `<gpuInfo><gpus><item><name>${gpu}</name><manufacturer>NVIDIA</manufacturer><count>1</count><memoryInfo><sizeInMiB>16384</sizeInMiB></memoryInfo></item></gpus></gpuInfo>` : ""}</item>`;

const machineXml = ({ id, type, zone, isSpot, state, launchedAt, tags }: Machine): string =>
  `<item><instanceId>${id}</instanceId><instanceState><code>16</code><name>${state}</name></instanceState><instanceType>${type}</instanceType><launchTime>${launchedAt}</launchTime><placement><availabilityZone>${zone}</availabilityZone></placement>${isSpot ? "<instanceLifecycle>spot</instanceLifecycle>" : ""}<tagSet>${[...tags].map(([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`).join("")}</tagSet></item>`;

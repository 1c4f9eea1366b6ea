/**
 * One order as an EC2 Fleet of type "instant": one synchronous call over all acceptable types and zones, which EC2 picks
 * from by price and capacity. A fleet takes its start-up script from a launch template only, so each order has one of
 * its own, which is deleted once EC2 has answered.
 */
import {
  CreateFleetCommand,
  type CreateFleetCommandOutput,
  CreateLaunchTemplateCommand,
  DeleteLaunchTemplateCommand,
  type EC2Client,
  type FleetLaunchTemplateOverridesRequest,
} from "@aws-sdk/client-ec2";
import { type LaunchOrder, type LaunchReply, type Offering, offeringId, tagsOf } from "../provider.ts";
import { startupScript } from "../startup.ts";
import { cloudError, codeOf } from "./errors.ts";

export interface FleetOptions {
  /** An AMI's id, or `resolve:ssm:` and a parameter's name. */
  image: string;
  subnet: string | null;
  securityGroup: string | null;
}

const templateNameOf = ({ token }: LaunchOrder): string => `queztl-${token}`;

export async function launchFleet(client: EC2Client, order: LaunchOrder, options: FleetOptions): Promise<LaunchReply> {
  // The first is the best: the others of its market may stand in for it.
  const { market } = order.offerings[0] as Offering;
  const offerings = order.offerings.filter((offering) => offering.market === market);
  try {
    await createTemplate(client, order, options);
    const answer = await client.send(
      new CreateFleetCommand({
        Type: "instant",
        ClientToken: order.token,
        LaunchTemplateConfigs: [
          {
            LaunchTemplateSpecification: { LaunchTemplateName: templateNameOf(order), Version: "$Latest" },
            Overrides: offerings.map((offering) => overrideOf(offering, options)),
          },
        ],
        TargetCapacitySpecification: {
          TotalTargetCapacity: order.count,
          DefaultTargetCapacityType: market === "spot" ? "spot" : "on-demand",
        },
        ...(market === "spot"
          ? { SpotOptions: { AllocationStrategy: "price-capacity-optimized" } }
          : { OnDemandOptions: { AllocationStrategy: "lowest-price" } }),
        TagSpecifications: [{ ResourceType: "fleet", Tags: tagList(order) }],
      }),
    );
    const reply = replyOf(answer, offerings);
    await deleteTemplate(client, order);
    return reply;
  } catch (error) {
    const failure = cloudError(error);
    // Of an order that may have been taken the template is needed again.
    if (failure.code !== "unknown" && failure.code !== "throttled" && failure.code !== "unavailable")
      await deleteTemplate(client, order);
    throw failure;
  }
}

async function createTemplate(client: EC2Client, order: LaunchOrder, options: FleetOptions): Promise<void> {
  const command = new CreateLaunchTemplateCommand({
    ClientToken: order.token,
    LaunchTemplateName: templateNameOf(order),
    TagSpecifications: [{ ResourceType: "launch-template", Tags: tagList(order) }],
    LaunchTemplateData: {
      ImageId: options.image,
      UserData: Buffer.from(startupScript(order.boot)).toString("base64"),
      // The script's shutdown is the end of the bill.
      InstanceInitiatedShutdownBehavior: "terminate",
      MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
      TagSpecifications: [
        { ResourceType: "instance", Tags: [...tagList(order), { Key: "Name", Value: "queztl" }] },
        { ResourceType: "volume", Tags: tagList(order) },
      ],
      ...(options.securityGroup ? { SecurityGroupIds: [options.securityGroup] } : {}),
    },
  });
  try {
    await client.send(command);
  } catch (error) {
    // The same order again: it is there already.
    if ((error as Error).name !== "InvalidLaunchTemplateName.AlreadyExistsException") throw error;
  }
}

/** Left behind, a template costs nothing; it holds a join token that its instances have used up. */
const deleteTemplate = (client: EC2Client, order: LaunchOrder): Promise<unknown> =>
  client.send(new DeleteLaunchTemplateCommand({ LaunchTemplateName: templateNameOf(order) })).catch(() => {});

const tagList = (order: LaunchOrder): { Key: string; Value: string }[] =>
  Object.entries(tagsOf(order)).map(([Key, Value]) => ({ Key, Value }));

const overrideOf = ({ type, zone }: Offering, { subnet }: FleetOptions): FleetLaunchTemplateOverridesRequest => ({
  InstanceType: type as never,
  ...(subnet ? { SubnetId: subnet } : zone ? { AvailabilityZone: zone } : {}),
});

function replyOf(answer: CreateFleetCommandOutput, offerings: readonly Offering[]): LaunchReply {
  const find = (type: string | undefined, zone: string | undefined): Offering =>
    offerings.find((offering) => offering.type === type && (offering.zone === zone || offering.zone === null)) ??
    offerings.find((offering) => offering.type === type) ??
    (offerings[0] as Offering);
  const instances = (answer.Instances ?? []).flatMap(
    ({ InstanceIds: ids = [], InstanceType: type, AvailabilityZone: zone, LaunchTemplateAndOverrides: from }) =>
      ids.map((id) => ({ id, offering: find(type, zone ?? from?.Overrides?.AvailabilityZone).id })),
  );
  const refusals = (answer.Errors ?? []).map(
    ({ ErrorCode: code = "", ErrorMessage: message = "", LaunchTemplateAndOverrides: from }) => {
      const { InstanceType: type, AvailabilityZone: zone } = from?.Overrides ?? {};
      return { offering: find(type, zone).id, code: codeOf(code), message: `${code}: ${message}`.slice(0, 300) };
    },
  );
  const [refused] = refusals;
  if (instances.length === 0) {
    throw refused
      ? Object.assign(new Error(refused.message), { name: refused.message.split(":")[0] })
      : new Error("EC2 launched nothing and says not why");
  }
  return { instances, refusals };
}

/** Of an instance that EC2 lists. */
export const listedOffering = (
  type: string | undefined,
  zone: string | undefined,
  isSpot: boolean,
  region: string,
): string | null =>
  type === undefined ? null : offeringId(isSpot ? "spot" : "on_demand", type, isSpot ? (zone ?? region) : region);

/** What the HTTP side needs of the autoscaler. Null in its place where no instances are launched. */
import type {
  AutoscalerStatus,
  Estimate,
  EstimateBody,
  ManualBody,
  ScaleDecision,
  ScaleHistory,
  ScalePatch,
} from "../../protocol/scaling.ts";

/** Refuses what cannot be meant or is not on offer; `field` names the member of the body. */
export class ScalerRefusal extends Error {
  override name = "ScalerRefusal";
  constructor(
    message: string,
    readonly field: string,
    readonly remedy: string,
    readonly available?: string[],
  ) {
    super(message);
  }
}

export interface GridScaler {
  /** Whether somebody sends a bill for instances. */
  readonly priced: boolean;
  status(): AutoscalerStatus;
  decisions(limit: number): ScaleDecision[];
  history(): ScaleHistory;
  /** Durable when it resolves. */
  manual(body: ManualBody, by: string): Promise<void>;
  /** Durable when it resolves. Rejects with ScalerRefusal. */
  change(patch: ScalePatch, by: string): Promise<void>;
  /** Throws ScalerRefusal. */
  estimate(body: EstimateBody): Estimate;
}

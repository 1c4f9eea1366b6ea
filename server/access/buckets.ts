/** Token buckets by name, in a bounded map: the least recently used one is forgotten first. */
export interface BucketRate {
  /** Tokens a second. */
  perSecond: number;
  /** Tokens of a full bucket; every bucket starts full. */
  burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

export class Buckets {
  private readonly buckets = new Map<string, Bucket>();

  /** `namesMax` bounds memory: about 150 bytes a name. */
  constructor(
    private readonly rate: BucketRate,
    private readonly now: () => number,
    private readonly namesMax = 10_000,
  ) {}

  /** Takes a token. 0 when there was one, else the seconds until there will be (at least 1, whole). */
  take(name: string): number {
    const bucket = this.refilled(name);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - bucket.tokens) / this.rate.perSecond));
  }

  /** As `take`, but leaves the token there. */
  wait(name: string): number {
    const bucket = this.buckets.get(name);
    if (bucket === undefined) return 0;
    const tokens = this.refilled(name).tokens;
    return tokens >= 1 ? 0 : Math.max(1, Math.ceil((1 - tokens) / this.rate.perSecond));
  }

  get size(): number {
    return this.buckets.size;
  }

  private refilled(name: string): Bucket {
    const now = this.now();
    let bucket = this.buckets.get(name);
    if (bucket === undefined) {
      bucket = { tokens: this.rate.burst, atMs: now };
      const oldest = this.buckets.size >= this.namesMax ? this.buckets.keys().next().value : undefined;
      if (oldest !== undefined) this.buckets.delete(oldest);
    } else {
      this.buckets.delete(name);
      const elapsedMs = Math.max(0, now - bucket.atMs);
      bucket.tokens = Math.min(this.rate.burst, bucket.tokens + (elapsedMs / 1000) * this.rate.perSecond);
      bucket.atMs = now;
    }
    this.buckets.set(name, bucket);
    return bucket;
  }
}

/**
 * Ways to forecast a series of steps, each learning step by step. None is good everywhere: they are held against each
 * other by what they said before. Steps are numbered; some may be missing. Libraries for Node were looked at and not
 * taken: those that are kept fit whole series anew at each look, and these six are a page.
 */
export interface Candidate {
  readonly name: string;
  learn(value: number, step: number): void;
  /** For the step `ahead` (1 or more) after the last one learnt; null while too little is known. */
  predict(ahead: number): number | null;
}

/** Steps of five minutes. */
export const day = 288;
export const week = 7 * day;

class Memory {
  readonly #values = new Map<number, number>();
  last = Number.NEGATIVE_INFINITY;

  keep(value: number, step: number): void {
    this.#values.set(step, value);
    this.last = step;
    this.#values.delete(step - week - day);
  }

  at(step: number): number | null {
    return this.#values.get(step) ?? null;
  }
}

const lastValue = (): Candidate => {
  let last: number | null = null;
  return {
    name: "last value",
    learn: (value) => (last = value),
    predict: () => last,
  };
};

const seasonalNaive = (name: string, period: number): Candidate => {
  const memory = new Memory();
  return {
    name,
    learn: (value, step) => memory.keep(value, step),
    predict: (ahead) => memory.at(memory.last + ahead - period),
  };
};

/** Additive, with a damped trend (Hyndman and Athanasopoulos, "Forecasting: principles and practice", 8.3). */
const holtWinters = ({ alpha = 0.3, beta = 0.01, gamma = 0.2, phi = 0.9 } = {}): Candidate => {
  const season = new Float64Array(day);
  let [level, trend, seen, last] = [0, 0, 0, 0];
  return {
    name: "Holt-Winters",
    learn(value, step) {
      const slot = ((step % day) + day) % day;
      last = step;
      // The first day is the season, about its mean so far.
      if (seen++ < day) {
        level += (value - level) / seen;
        season[slot] = value;
        if (seen === day) for (let at = 0; at < day; at++) season[at] = (season[at] as number) - level;
        return;
      }
      const before = level;
      level = alpha * (value - (season[slot] as number)) + (1 - alpha) * (level + phi * trend);
      trend = beta * (level - before) + (1 - beta) * phi * trend;
      season[slot] = gamma * (value - level) + (1 - gamma) * (season[slot] as number);
    },
    predict(ahead) {
      if (seen <= day) return null;
      const damped = Array.from({ length: ahead }, (_, at) => phi ** (at + 1)).reduce((sum, part) => sum + part, 0);
      return level + damped * trend + (season[(((last + ahead) % day) + day) % day] as number);
    },
  };
};

/** Theta: exponential smoothing with half of the drift, of the series without its daily profile (Assimakopoulos and Nikolopoulos, 2000). */
const theta = (alpha = 0.3): Candidate => {
  const profile = new Float64Array(day);
  const counts = new Uint32Array(day);
  let [mean, level, drift, seen, last] = [0, 0, 0, 0, 0];
  const slotOf = (step: number): number => ((step % day) + day) % day;
  const seasonal = (slot: number): number =>
    seen > day && (counts[slot] as number) > 0 ? (profile[slot] as number) - mean : 0;
  return {
    name: "Theta",
    learn(value, step) {
      const slot = slotOf(step);
      const plain = value - seasonal(slot);
      const before = level;
      level = seen === 0 ? plain : level + alpha * (plain - level);
      drift += (level - before - drift) / Math.min(++seen, week);
      mean += (value - mean) / Math.min(seen, week);
      const count = Math.min(++counts[slot]!, 7);
      profile[slot] = (profile[slot] as number) + (value - (profile[slot] as number)) / count;
      last = step;
    },
    predict: (ahead) => (seen < 12 ? null : level + (ahead * drift) / 2 + seasonal(slotOf(last + ahead))),
  };
};

/** Ridge regression on lags and the time of day, by recursive least squares that forget; one for each `ahead`. */
class Ridge implements Candidate {
  readonly name = "ridge";
  readonly #memory = new Memory();
  readonly #models: Recursive[];
  /** What each forecast was made from, by the step that it is for. */
  readonly #open: Map<number, Float64Array>[];

  constructor(aheadMax: number) {
    this.#models = Array.from({ length: aheadMax }, () => new Recursive(features));
    this.#open = Array.from({ length: aheadMax }, () => new Map());
  }

  learn(value: number, step: number): void {
    for (const [at, model] of this.#models.entries()) {
      const given = this.#open[at]?.get(step);
      this.#open[at]?.delete(step);
      if (given) model.learn(given, value);
    }
    this.#memory.keep(value, step);
    for (const at of this.#models.keys()) {
      const given = this.#features(at + 1);
      if (given) this.#open[at]?.set(step + at + 1, given);
      // Of steps that never came.
      for (const due of this.#open[at]?.keys() ?? []) if (due <= step) this.#open[at]?.delete(due);
    }
  }

  predict(ahead: number): number | null {
    const model = this.#models[ahead - 1];
    const given = this.#features(ahead);
    return model && given && model.learnt > day ? model.predict(given) : null;
  }

  #features(ahead: number): Float64Array | null {
    const { last } = this.#memory;
    const lags = [0, 1, 2].map((lag) => this.#memory.at(last - lag));
    const yesterday = this.#memory.at(last + ahead - day) ?? this.#memory.at(last);
    const lastWeek = this.#memory.at(last + ahead - week) ?? yesterday;
    if (lags.some((lag) => lag === null) || yesterday === null || lastWeek === null) return null;
    let hour = 0;
    for (let lag = 0; lag < 12; lag++) hour += (this.#memory.at(last - lag) ?? (lags[0] as number)) / 12;
    const angle = (2 * Math.PI * (last + ahead)) / day;
    const waves = [Math.sin(angle), Math.cos(angle), Math.sin(2 * angle), Math.cos(2 * angle)];
    return Float64Array.from([1, ...(lags as number[]), hour, yesterday, lastWeek, ...waves]);
  }
}

const features = 11;

/** Least squares with forgetting (Haykin, "Adaptive Filter Theory", 10); its start is the ridge. */
class Recursive {
  learnt = 0;
  readonly #weights: Float64Array;
  readonly #inverse: Float64Array;

  constructor(
    private readonly size: number,
    private readonly forget = 0.9995,
  ) {
    this.#weights = new Float64Array(size);
    this.#inverse = new Float64Array(size * size);
    for (let at = 0; at < size; at++) this.#inverse[at * size + at] = 10;
  }

  predict(x: Float64Array): number {
    return x.reduce((sum, value, at) => sum + value * (this.#weights[at] as number), 0);
  }

  learn(x: Float64Array, value: number): void {
    const { size, forget } = this;
    const px = new Float64Array(size);
    let scale = forget;
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let j = 0; j < size; j++) sum += (this.#inverse[i * size + j] as number) * (x[j] as number);
      px[i] = sum;
      scale += sum * (x[i] as number);
    }
    const error = value - this.predict(x);
    for (let i = 0; i < size; i++)
      this.#weights[i] = (this.#weights[i] as number) + ((px[i] as number) / scale) * error;
    for (let i = 0; i < size; i++)
      for (let j = 0; j < size; j++) {
        const at = i * size + j;
        // What is not excited is not forgotten without end.
        this.#inverse[at] = Math.min(
          1e6,
          Math.max(-1e6, ((this.#inverse[at] as number) - ((px[i] as number) * (px[j] as number)) / scale) / forget),
        );
      }
    this.learnt++;
  }
}

/** The first is what the others must beat. */
export const candidates = (aheadMax: number): Candidate[] => [
  lastValue(),
  seasonalNaive("yesterday", day),
  seasonalNaive("last week", week),
  holtWinters(),
  theta(),
  new Ridge(aheadMax),
];

/** The crowd of the sabotage scenario: volunteers whose speeds span 10,000 times, who come, lie, fail and go. */
import type { Random } from "../random.ts";

/** How saboteurs lie. All of them tell the same wrong answer, so that they confirm each other. */
export const strategies = ["always lie", "lie 10%", "lie 5%", "sleeper", "whitewash", "colluding", "paired"] as const;
/** Aimed at audits of grains: a slice with a lie in it is mostly right. Others compare whole answers. */
export const fineStrategies = ["1% of grains", "5% of grains in 10% of slices"] as const;
export type Strategy = (typeof strategies)[number] | (typeof fineStrategies)[number];

/** Faults of honest machines: silent corruption, a bug that shows, slowness, and going without a word. */
export type HonestFault = "corrupt" | "buggy" | "slow" | "vanishing" | null;

export interface Volunteer {
  /** Grains a second. */
  speed: number;
  /** Slices that it computes before its owner goes. */
  slices: number;
  strategy: Strategy | null;
  fault: HonestFault;
}

/** Slices that a sleeper computes honestly first. */
export const sleepSlices = 60;

const slicesMax = 600;

/**
 * Draws a volunteer: a tenth stay for 200 to 600 slices, as machines that are left running do; of the others the mean
 * is 15, as tabs have it. Of the honest ones 1% corrupt silently, and as many each are buggy, slow and vanishing.
 */
export function drawVolunteer(random: Random, saboteurs: number, strategy: Strategy): Volunteer {
  const lies = random.chance(saboteurs);
  const faults = ["corrupt", "buggy", "slow", "vanishing"] as const;
  const fault = random.next() < 0.04 ? random.pick(faults) : null;
  const stays = random.chance(0.1);
  const slices = stays ? random.int(200, slicesMax) : 1 + Math.floor(-15 * Math.log(1 - random.next()));
  return { speed: random.log(0.1, 1_000), slices, strategy: lies ? strategy : null, fault: lies ? null : fault };
}

/** A volunteer as one meets it: who stays long is met more often, and somewhere within its stay. */
export function meetVolunteer(random: Random, saboteurs: number, strategy: Strategy): Volunteer {
  for (;;) {
    const volunteer = drawVolunteer(random, saboteurs, strategy);
    if (random.next() * slicesMax < volunteer.slices) return { ...volunteer, slices: random.int(1, volunteer.slices) };
  }
}

/**
 * Whether a saboteur lies in its next answer. `done` is how many slices this identity has answered, `secret` a number in
 * [0, 1) that all saboteurs know of the work unit and nobody else does, `partnered` whether they hold all its copies.
 */
export function lies(strategy: Strategy, done: number, secret: number, partnered: boolean, random: Random): boolean {
  switch (strategy) {
    case "always lie":
    case "whitewash":
      return true;
    case "lie 10%":
      return random.chance(0.1);
    case "lie 5%":
      return random.chance(0.05);
    case "sleeper":
      return done >= sleepSlices;
    case "colluding":
      return secret < 0.1;
    case "paired":
      return partnered;
    case "1% of grains":
      return done >= 3;
    case "5% of grains in 10% of slices":
      return done >= 3 && random.chance(0.1);
  }
}

/** Share of the grains that are wrong in an answer that lies. */
export const wrongShare = (strategy: Strategy): number =>
  strategy === "1% of grains" ? 0.01 : strategy === "5% of grains in 10% of slices" ? 0.05 : 1;

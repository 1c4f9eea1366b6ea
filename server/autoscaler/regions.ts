/**
 * The six regions, what clouds call them, and how far they are from each other. Distances are great circles; light in
 * fibre needs about 1 ms for 100 km and back, on routes that are longer by about half.
 */
import { type RegionId, regionTitles } from "../../protocol/regions.ts";

export interface Region {
  id: RegionId;
  title: string;
  /** What else it is called: clouds' names and people's. */
  names: readonly string[];
  latitude: number;
  longitude: number;
}

export const regions: readonly Region[] = [
  {
    id: "us-east-1",
    title: regionTitles["us-east-1"],
    names: ["virginia", "us-east", "us-east4", "eastus"],
    latitude: 38.9,
    longitude: -77.4,
  },
  {
    id: "us-west-1",
    title: regionTitles["us-west-1"],
    names: ["california", "us-west", "us-west2", "westus"],
    latitude: 37.4,
    longitude: -122.0,
  },
  {
    id: "eu-west-1",
    title: regionTitles["eu-west-1"],
    names: ["ireland", "eu-west", "europe-west1", "northeurope"],
    latitude: 53.3,
    longitude: -6.3,
  },
  {
    id: "ap-northeast-1",
    title: regionTitles["ap-northeast-1"],
    names: ["tokyo", "asia-northeast1", "japaneast"],
    latitude: 35.7,
    longitude: 139.7,
  },
  {
    id: "ap-southeast-1",
    title: regionTitles["ap-southeast-1"],
    names: ["singapore", "asia-southeast1", "southeastasia"],
    latitude: 1.3,
    longitude: 103.8,
  },
  {
    id: "ap-southeast-2",
    title: regionTitles["ap-southeast-2"],
    names: ["sydney", "australia-southeast1", "australiaeast"],
    latitude: -33.9,
    longitude: 151.2,
  },
];

/** By any of its names, whatever the case; null where none is meant. */
export function regionOf(name: string): Region | null {
  const plain = name.trim().toLowerCase();
  return (
    regions.find(({ id, names, title }) => id === plain || names.includes(plain) || title.toLowerCase() === plain) ??
    null
  );
}

const earthKm = 6_371;
const radians = (degrees: number): number => (degrees * Math.PI) / 180;

/** Great circle (haversine), in kilometres. */
export function kilometres(a: Region, b: Region): number {
  const dLatitude = radians(b.latitude - a.latitude);
  const dLongitude = radians(b.longitude - a.longitude);
  const h =
    Math.sin(dLatitude / 2) ** 2 +
    Math.cos(radians(a.latitude)) * Math.cos(radians(b.latitude)) * Math.sin(dLongitude / 2) ** 2;
  return 2 * earthKm * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Milliseconds of a round trip, as the distance suggests. */
export const roundTripMs = (a: Region, b: Region): number => 1 + (kilometres(a, b) * 1.5) / 100;

/** The six regions: where work comes from, where instances are placed, and where volunteers are. */
export const regionTitles = {
  "us-east-1": "US East (Virginia)",
  "us-west-1": "US West (California)",
  "eu-west-1": "EU West (Ireland)",
  "ap-northeast-1": "Asia Pacific (Tokyo)",
  "ap-southeast-1": "Asia Pacific (Singapore)",
  "ap-southeast-2": "Australia (Sydney)",
} as const;

export type RegionId = keyof typeof regionTitles;
export const regionIds = Object.keys(regionTitles) as RegionId[];

export const isRegionId = (name: unknown): name is RegionId => regionIds.includes(name as RegionId);

const continents: Record<string, RegionId> = {
  Europe: "eu-west-1",
  Africa: "eu-west-1",
  Atlantic: "eu-west-1",
  Arctic: "eu-west-1",
  Asia: "ap-southeast-1",
  Indian: "ap-southeast-1",
  Australia: "ap-southeast-2",
  Antarctica: "ap-southeast-2",
  Pacific: "ap-southeast-2",
};
/** Nearer to Tokyo than to Singapore, by great circles. */
const nearTokyo =
  /^Asia\/(Tokyo|Seoul|Pyongyang|Shanghai|Chongqing|Harbin|Taipei|Ulaanbaatar|Choibalsan|Hovd|Yakutsk|Khandyga|Chita|Vladivostok|Ust-Nera|Magadan|Sakhalin|Srednekolymsk|Kamchatka|Anadyr|Irkutsk|Krasnoyarsk)$|^Pacific\/(Guam|Saipan|Palau|Chuuk|Truk|Yap)$/;
/** Nearer to Ireland. */
const nearIreland =
  /^Asia\/(Istanbul|Nicosia|Famagusta|Beirut|Damascus|Jerusalem|Tel_Aviv|Gaza|Hebron|Amman|Baghdad|Kuwait|Riyadh|Qatar|Bahrain|Aden|Tehran|Baku|Tbilisi|Yerevan|Aqtau|Oral|Atyrau|Aqtobe|Qostanay|Yekaterinburg|Ashgabat|Omsk)$/;

/**
 * The region that is nearest to most of a time zone; null where the zone says nothing about a place (`UTC`).
 * @param zone IANA name, as `Intl.DateTimeFormat().resolvedOptions().timeZone` gives it.
 * @param winterHours Hours ahead of UTC in January: what parts the Americas.
 */
export function regionOfTimeZone(zone: string, winterHours: number): RegionId | null {
  if (nearTokyo.test(zone)) return "ap-northeast-1";
  if (nearIreland.test(zone)) return "eu-west-1";
  if (/^Pacific\/(Honolulu|Johnston|Midway)$/.test(zone)) return "us-west-1";
  const continent = zone.split("/")[0] as string;
  if (/^(America|US|Canada)$/.test(continent)) return winterHours <= -7 ? "us-west-1" : "us-east-1";
  return zone.includes("/") ? (continents[continent] ?? null) : null;
}

/** Of the machine that this runs on, by its clock; nothing is looked up anywhere. */
export function regionByClock(): RegionId | null {
  const january = new Date(new Date().getFullYear(), 0, 1);
  return regionOfTimeZone(Intl.DateTimeFormat().resolvedOptions().timeZone ?? "", -january.getTimezoneOffset() / 60);
}
